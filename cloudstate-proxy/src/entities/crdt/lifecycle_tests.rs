//! Conversations with the lifecycle, in words.

use cloudstate_proto::{
    Any, ClientAction, Failure as WireFailure, Reply as WireReply, SideEffect,
    client_action::Action,
    crdt::{
        CrdtDelete, CrdtDelta, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse, CrdtStreamOut,
        CrdtStreamedMessage, CrdtWriteConsistency, FlagDelta, GSetDelta, PnCounterDelta, crdt_delta::Delta,
        crdt_state_action, crdt_stream_in::Message as In, crdt_stream_out::Message as Out,
    },
};

use super::{
    Answer, Token,
    data::Crdt,
    lifecycle::{Incoming, Input, Lifecycle, Limits, Output},
};
use crate::{code::Code, entities::stream::End, storage::StoredCrdt};

const NOW: i64 = 1_000;
const LIMITS: Limits = Limits { commands: 3, streams: 2, state_bytes: 1_000 };

fn payload(text: &str) -> Any {
    Any { type_url: "type.googleapis.com/test".to_owned(), value: text.to_owned().into() }
}

fn command(token: Token) -> Input {
    Input::Command(Incoming {
        token,
        name: format!("c{token}"),
        payload: payload(""),
        streamed: false,
        context: Default::default(),
    })
}

fn streamed(token: Token) -> Input {
    Input::Command(Incoming {
        token,
        name: format!("s{token}"),
        payload: payload(""),
        streamed: true,
        context: Default::default(),
    })
}

fn acting(action: Action) -> Option<ClientAction> {
    Some(ClientAction { action: Some(action) })
}

fn says(text: &str) -> Option<ClientAction> {
    acting(Action::Reply(WireReply { payload: Some(payload(text)), metadata: None }))
}

fn fails(text: &str) -> Option<ClientAction> {
    acting(Action::Failure(WireFailure { description: text.to_owned(), ..WireFailure::default() }))
}

fn effect(name: &str) -> SideEffect {
    SideEffect { command_name: name.to_owned(), ..SideEffect::default() }
}

fn updated(delta: Delta) -> Option<CrdtStateAction> {
    Some(CrdtStateAction {
        action: Some(crdt_state_action::Action::Update(CrdtDelta { delta: Some(delta) })),
        write_consistency: CrdtWriteConsistency::All.into(),
    })
}

fn plus(change: i64) -> Option<CrdtStateAction> {
    updated(Delta::Pncounter(PnCounterDelta { change }))
}

fn deletion() -> Option<CrdtStateAction> {
    Some(CrdtStateAction {
        action: Some(crdt_state_action::Action::Delete(CrdtDelete {})),
        write_consistency: 77,
    })
}

fn out(message: Out) -> Input {
    Input::FromFunction(CrdtStreamOut { message: Some(message) }, NOW)
}

fn reply(command_id: i64, state_action: Option<CrdtStateAction>) -> Input {
    reply_with(CrdtReply { command_id, state_action, client_action: says("ok"), ..CrdtReply::default() })
}

/// A reply that keeps the caller's stream open.
fn first(command_id: i64, state_action: Option<CrdtStateAction>) -> Input {
    let client_action = says("first");
    reply_with(CrdtReply { command_id, state_action, client_action, streamed: true, ..CrdtReply::default() })
}

fn reply_with(reply: CrdtReply) -> Input {
    out(Out::Reply(reply))
}

fn element(command_id: i64, text: &str) -> Input {
    message(CrdtStreamedMessage { command_id, client_action: says(text), ..CrdtStreamedMessage::default() })
}

fn message(message: CrdtStreamedMessage) -> Input {
    out(Out::StreamedMessage(message))
}

fn cancelled(command_id: i64, state_action: Option<CrdtStateAction>) -> Input {
    out(Out::StreamCancelledResponse(CrdtStreamCancelledResponse {
        command_id,
        state_action,
        side_effects: vec![effect("e")],
    }))
}

fn failure(command_id: i64, description: &str) -> Input {
    out(Out::Failure(WireFailure {
        command_id,
        description: description.to_owned(),
        ..WireFailure::default()
    }))
}

fn timed_out(token: Token) -> Input {
    Input::TimedOut { token, unreachable: None }
}

const WRITTEN: Input = Input::Written(Ok(()));

fn not_written() -> Input {
    Input::Written(Err("the disk is full".to_owned()))
}

/// What the lifecycle does, without what it observes.
fn script(lifecycle: &mut Lifecycle, inputs: impl IntoIterator<Item = Input>) -> Vec<String> {
    let mut outputs = Vec::new();
    for input in inputs {
        lifecycle.step(input, &mut outputs);
    }
    outputs.iter().filter_map(words).collect()
}

fn words(output: &Output) -> Option<String> {
    Some(match output {
        Output::Load => "load".to_owned(),
        Output::OpenStream => "open".to_owned(),
        Output::Send(message) => match message.message.as_ref()? {
            In::Init(init) => match &init.delta {
                Some(delta) => format!("init {} with {}", init.entity_id, state(delta)),
                None => format!("init {}", init.entity_id),
            },
            In::Command(command) => {
                let kind = if command.streamed { "streamed" } else { "command" };
                format!("{kind} {} {}", command.id, command.name)
            }
            In::StreamCancelled(cancelled) => format!("cancel {}", cancelled.id),
            In::Delta(_) | In::Delete(_) => panic!("on one node nobody else changes anything"),
        },
        Output::HalfClose => "half-close".to_owned(),
        Output::Reset => "reset".to_owned(),
        Output::Write(None) => "write the tombstone".to_owned(),
        Output::Write(Some(stored)) => {
            format!("write {}", state(&Crdt::from_stored(stored).unwrap().full_state()))
        }
        Output::Answer(token, answer) => format!("answer {token}: {}", answer_words(answer)),
        Output::Element(token, answer) => format!("element {token}: {}", answer_words(answer)),
        Output::AwaitCancelled(_) | Output::Observed(_) => return None,
        Output::Report(text) => format!("report {}", text.strip_suffix(" (service Service, entity e1)")?),
        Output::Stop => "stop".to_owned(),
    })
}

fn state(delta: &CrdtDelta) -> String {
    match delta.delta.as_ref().unwrap() {
        Delta::Pncounter(counter) => counter.change.to_string(),
        other => format!("{other:?}"),
    }
}

fn answer_words(answer: &Answer) -> String {
    match answer {
        Answer::Decided { action, side_effects } => {
            let said = match action {
                Some(Action::Reply(reply)) => {
                    String::from_utf8(reply.payload.clone().unwrap().value.to_vec()).unwrap()
                }
                Some(Action::Failure(failure)) => format!("failure {}", failure.description),
                Some(Action::Forward(_)) => "forward".to_owned(),
                None => "nothing".to_owned(),
            };
            side_effects.iter().fold(said, |said, effect| format!("{said}, then {}", effect.command_name))
        }
        Answer::Failed(failure) => match failure.code {
            Some(code) => format!("{code:?} {}", failure.description),
            None => failure.description.clone(),
        },
    }
}

fn dormant() -> Lifecycle {
    Lifecycle::new("Service", "e1", LIMITS)
}

fn loaded(change: i64) -> Input {
    let delta = CrdtDelta { delta: Some(Delta::Pncounter(PnCounterDelta { change })) };
    Input::Loaded(Ok(Some(StoredCrdt::State(Crdt::create(delta, NOW).unwrap().to_stored()))))
}

/// A live entity with this state, that was sent one command: its id is 1, its token 100.
fn live(change: i64) -> Lifecycle {
    let mut lifecycle = dormant();
    script(&mut lifecycle, [command(100), loaded(change), Input::Opened, reply(1, None)]);
    lifecycle
}

/// A live entity with one open client stream: its id is 2, its token 200.
fn watched(change: i64) -> Lifecycle {
    let mut lifecycle = live(change);
    script(&mut lifecycle, [streamed(200), first(2, None)]);
    lifecycle
}

#[test]
fn the_state_is_read_before_the_stream_is_opened() {
    let mut lifecycle = dormant();
    assert_eq!(script(&mut lifecycle, [command(1)]), ["load"]);
    assert_eq!(script(&mut lifecycle, [command(2)]), [""; 0]);
    assert_eq!(script(&mut lifecycle, [loaded(5)]), ["open"]);
    assert_eq!(script(&mut lifecycle, [streamed(3)]), [""; 0]);
    let opened = script(&mut lifecycle, [Input::Opened]);
    assert_eq!(opened, ["init e1 with 5", "command 1 c1", "command 2 c2", "streamed 3 s3"]);
}

#[test]
fn an_unknown_entity_has_no_state_and_one_at_zero_has() {
    let opened = |loaded| script(&mut dormant(), [command(1), loaded, Input::Opened]);
    assert_eq!(opened(Input::Loaded(Ok(None))), ["load", "open", "init e1", "command 1 c1"]);
    assert_eq!(opened(loaded(0)), ["load", "open", "init e1 with 0", "command 1 c1"]);
}

#[test]
fn what_cannot_be_read_fails_its_callers() {
    let unreadable = Input::Loaded(Ok(Some(StoredCrdt::State(payload("")))));
    let texts = ["the disk is gone", "the stored CRDT cannot be read: it is of the type \"test\""];
    for (loaded, why) in [Input::Loaded(Err(texts[0].to_owned())), unreadable].into_iter().zip(texts) {
        let failed = format!("answer 1: Unavailable Error recovering CRDT state: {why}");
        let mut lifecycle = dormant();
        assert_eq!(script(&mut lifecycle, [command(1), loaded]), ["load", &failed, "stop"]);
        assert_eq!(script(&mut lifecycle, [command(2)]), ["load"]);
    }
}

#[test]
fn commands_are_concurrent_and_answered_in_any_order() {
    let mut lifecycle = live(0);
    assert_eq!(script(&mut lifecycle, [command(2), command(3)]), ["command 2 c2", "command 3 c3"]);
    assert_eq!(script(&mut lifecycle, [reply(3, None)]), ["answer 3: ok"]);
    assert_eq!(script(&mut lifecycle, [reply(2, None)]), ["answer 2: ok"]);
}

#[test]
fn a_change_is_stored_before_it_is_told() {
    let mut lifecycle = live(1);
    script(&mut lifecycle, [command(2)]);
    assert_eq!(script(&mut lifecycle, [reply(2, plus(4))]), ["write 5"]);
    assert_eq!(script(&mut lifecycle, [WRITTEN]), ["answer 2: ok"]);
}

#[test]
fn changes_that_wait_are_written_at_once_and_answers_keep_their_order() {
    let mut lifecycle = live(0);
    script(&mut lifecycle, [command(2), command(3), command(4)]);
    assert_eq!(script(&mut lifecycle, [reply(2, plus(1))]), ["write 1"]);
    // The second reads what the first wrote: nobody sees what is not stored.
    assert_eq!(script(&mut lifecycle, [reply(3, None), reply(4, plus(2)), command(5)]), ["command 5 c5"]);
    assert_eq!(script(&mut lifecycle, [reply(5, plus(4))]), [""; 0]);
    assert_eq!(script(&mut lifecycle, [WRITTEN]), ["answer 2: ok", "answer 3: ok", "write 7"]);
    assert_eq!(script(&mut lifecycle, [WRITTEN]), ["answer 4: ok", "answer 5: ok"]);
}

#[test]
fn a_failed_write_fails_those_who_waited_for_it_and_the_entity_is_read_again() {
    let mut lifecycle = watched(0);
    script(&mut lifecycle, [command(3), command(4), command(5)]);
    let changes = [reply(3, plus(1)), reply(4, plus(1)), reply(5, None)];
    assert_eq!(script(&mut lifecycle, changes), ["write 1"]);
    script(&mut lifecycle, [streamed(6), first(6, plus(1)), element(2, "1"), element(6, "1"), command(7)]);
    assert_eq!(
        script(&mut lifecycle, [not_written()]),
        [
            "answer 3: Unavailable Failed to update CRDT at requested write consistency",
            "answer 4: Unavailable Failed to update CRDT at requested write consistency",
            "answer 5: Unavailable Entity terminating",
            "answer 6: Unavailable Failed to update CRDT at requested write consistency",
            "report Failed to update CRDT: the disk is full",
            "reset",
            "answer 7: Unavailable Entity terminating",
            "answer 200: Unavailable Entity terminating",
            "stop",
        ]
    );
    assert_eq!(script(&mut lifecycle, [command(8)]), ["load"]);
}

#[test]
fn a_failed_command_leaves_everything_alive() {
    let mut lifecycle = live(0);
    let refusal = CrdtReply { command_id: 2, client_action: fails("no"), ..CrdtReply::default() };
    let outputs = script(&mut lifecycle, [command(2), reply_with(refusal), command(3)]);
    assert_eq!(outputs, ["command 2 c2", "answer 2: failure no", "command 3 c3"]);
}

#[test]
fn a_stream_failure_with_an_id_fails_that_command_with_its_description() {
    let mut lifecycle = watched(0);
    assert_eq!(
        script(&mut lifecycle, [command(3), failure(3, "three"), failure(2, "two")]),
        ["command 3 c3", "answer 3: three", "answer 200: two"]
    );
    let ignored = ["report Unexpected entity failure: other", "report Unexpected entity failure: zero"];
    assert_eq!(script(&mut lifecycle, [failure(9, "other"), failure(0, "zero")]), ignored);
    assert_eq!(script(&mut lifecycle, [command(4)]), ["command 4 c4"]);
}

#[test]
fn a_message_without_anything_is_ignored() {
    let mut lifecycle = live(0);
    assert_eq!(script(&mut lifecycle, [Input::FromFunction(CrdtStreamOut::default(), NOW)]), [""; 0]);
}

#[test]
fn what_crashes_an_entity() {
    let streamed_reply = CrdtReply { command_id: 3, streamed: true, ..CrdtReply::default() };
    let no_delta = CrdtStateAction {
        action: Some(crdt_state_action::Action::Update(CrdtDelta { delta: None })),
        ..CrdtStateAction::default()
    };
    let cases = [
        (reply(9, None), "Received reply for entity id e1 for unknown command 9"),
        (reply(1, None), "Received reply for entity id e1 for unknown command 1"),
        (reply_with(streamed_reply), "Streamed reply to non streamed command 3"),
        (reply(3, Some(no_delta)), "Empty delta"),
        (reply(3, updated(Delta::Flag(FlagDelta { value: true }))), "a Flag delta for a PNCounter"),
        (reply(3, plus(i64::MAX)), "a PNCounter would leave the range of 64-bit integers"),
        (cancelled(2, updated(Delta::Flag(FlagDelta { value: true }))), "a Flag delta for a PNCounter"),
        (Input::StreamEnded(End::Completed), "Unexpected entity termination due to stream closure"),
        (Input::StreamEnded(End::Failed("broken".to_owned())), "Entity crashed: broken"),
    ];
    for (input, text) in cases {
        let mut lifecycle = watched(1);
        script(&mut lifecycle, [command(3)]);
        assert_eq!(
            script(&mut lifecycle, [input]),
            [
                &format!("report {text}"),
                "reset",
                "answer 3: Unavailable Entity terminating",
                "answer 200: Unavailable Entity terminating",
                "stop",
            ],
            "{text}"
        );
        assert_eq!(script(&mut lifecycle, [command(4)]), ["load"]);
    }
}

/// What was accepted before the crash is not lost, and what was not stored is not told.
#[test]
fn a_crash_waits_for_the_write_under_way_and_for_no_other() {
    let mut lifecycle = live(0);
    script(&mut lifecycle, [command(2), command(3), reply(2, plus(1)), reply(3, plus(1))]);
    let crash = script(&mut lifecycle, [reply(9, None), command(4)]);
    let text = "report Received reply for entity id e1 for unknown command 9";
    assert_eq!(crash, [text, "reset"]);
    let told = script(&mut lifecycle, [WRITTEN]);
    assert_eq!(told, ["answer 2: ok", "answer 3: Unavailable Entity terminating", "load"]);
}

#[test]
fn a_state_that_is_too_large_fails_its_command_and_crashes_the_entity() {
    let mut lifecycle = dormant();
    let added = vec![payload(&"x".repeat(1_000))];
    let large = reply(2, updated(Delta::Gset(GSetDelta { added })));
    let start = [command(1), command(2), Input::Loaded(Ok(None)), Input::Opened];
    script(&mut lifecycle, start);
    let outputs = script(&mut lifecycle, [large]);
    let text = "the state of this entity would take 1120 bytes, at most 1000 are stored";
    assert_eq!(
        outputs,
        [
            &format!("answer 2: ResourceExhausted {text}"),
            &format!("report {text}"),
            "reset",
            "answer 1: Unavailable Entity terminating",
            "stop",
        ]
    );
}

#[test]
fn an_idle_stream_may_be_ended_by_the_user_function() {
    for end in [End::Completed, End::Failed("gone".to_owned()), End::Lost] {
        assert_eq!(script(&mut live(0), [Input::StreamEnded(end)]), ["stop"]);
    }
}

#[test]
fn streamed_commands_get_elements_until_the_end() {
    let mut lifecycle = live(0);
    assert_eq!(script(&mut lifecycle, [streamed(2)]), ["streamed 2 s2"]);
    assert_eq!(script(&mut lifecycle, [first(2, plus(1))]), ["write 1"]);
    // An element may tell of the change, so it waits too.
    assert_eq!(script(&mut lifecycle, [element(2, "second")]), [""; 0]);
    assert_eq!(script(&mut lifecycle, [WRITTEN]), ["element 2: first", "element 2: second"]);
    let silent = CrdtStreamedMessage { command_id: 2, ..CrdtStreamedMessage::default() };
    assert_eq!(script(&mut lifecycle, [message(silent.clone())]), [""; 0]);
    let effects = CrdtStreamedMessage { side_effects: vec![effect("e")], ..silent.clone() };
    assert_eq!(script(&mut lifecycle, [message(effects)]), ["element 2: nothing, then e"]);
    let end = CrdtStreamedMessage { end_stream: true, ..silent };
    assert_eq!(script(&mut lifecycle, [message(end)]), ["answer 2: nothing"]);
    assert_eq!(
        script(&mut lifecycle, [element(2, "late"), Input::ClientGone(2)]),
        ["report Received streamed message for unknown command id: 2"]
    );
}

#[test]
fn an_empty_first_reply_opens_the_stream() {
    let mut lifecycle = live(0);
    let empty = CrdtReply { command_id: 2, streamed: true, ..CrdtReply::default() };
    let outputs = script(&mut lifecycle, [streamed(2), reply_with(empty), element(2, "news")]);
    assert_eq!(outputs, ["streamed 2 s2", "element 2: nothing", "element 2: news"]);
}

#[test]
fn a_reply_that_is_not_streamed_ends_the_stream() {
    assert_eq!(script(&mut live(0), [streamed(2), reply(2, None)]), ["streamed 2 s2", "answer 2: ok"]);
}

#[test]
fn a_failure_ends_the_stream_and_needs_no_cancellation() {
    let mut lifecycle = watched(0);
    let failing =
        CrdtStreamedMessage { command_id: 2, client_action: fails("no"), ..CrdtStreamedMessage::default() };
    let outputs = script(&mut lifecycle, [message(failing), Input::ClientGone(200), Input::IdleTimeout]);
    assert_eq!(outputs, ["answer 200: failure no", "half-close"]);
}

#[test]
fn a_client_that_leaves_is_told_once_and_the_answer_counts() {
    let mut lifecycle = watched(1);
    let gone = [Input::ClientGone(200), Input::ClientGone(200)];
    assert_eq!(script(&mut lifecycle, gone), ["cancel 2"]);
    // It crossed the cancellation.
    assert_eq!(script(&mut lifecycle, [element(2, "late"), Input::IdleTimeout]), [""; 0]);
    assert_eq!(script(&mut lifecycle, [cancelled(2, plus(1))]), ["write 2"]);
    assert_eq!(script(&mut lifecycle, [WRITTEN]), ["answer 200: nothing, then e"]);
    assert_eq!(script(&mut lifecycle, [Input::IdleTimeout]), ["half-close"]);
}

#[test]
fn a_client_that_leaves_before_the_first_reply_is_told_after_it() {
    let mut lifecycle = live(0);
    let outputs = script(&mut lifecycle, [streamed(2), Input::ClientGone(2), first(2, None)]);
    assert_eq!(outputs, ["streamed 2 s2", "cancel 2", "element 2: first"]);
    assert_eq!(script(&mut lifecycle, [cancelled(2, None)]), ["answer 2: nothing, then e"]);
    let outputs = script(&mut lifecycle, [streamed(3), Input::ClientGone(3), reply(3, None)]);
    assert_eq!(outputs, ["streamed 3 s3", "answer 3: ok"]);
}

#[test]
fn a_client_that_leaves_before_its_command_was_sent_was_never_there() {
    let outputs = script(&mut dormant(), [streamed(1), Input::ClientGone(1), loaded(0), Input::IdleTimeout]);
    assert_eq!(outputs, ["load", "answer 1: Cancelled the client went away", "open", "reset", "stop"]);
}

#[test]
fn a_cancellation_without_an_answer_is_forgotten_in_time() {
    let mut lifecycle = watched(0);
    let outputs = script(&mut lifecycle, [Input::ClientGone(200), timed_out(200), Input::IdleTimeout]);
    assert_eq!(outputs, ["cancel 2", "answer 200: nothing", "half-close"]);
}

/// The user function has changed its copy, whenever it says so.
#[test]
fn a_late_answer_to_a_cancellation_still_changes_the_state() {
    let mut lifecycle = watched(1);
    script(&mut lifecycle, [Input::ClientGone(200), timed_out(200)]);
    assert_eq!(script(&mut lifecycle, [cancelled(2, plus(1)), WRITTEN]), ["write 2"]);
}

#[test]
fn an_open_stream_prevents_passivation() {
    let mut lifecycle = watched(0);
    assert!(!lifecycle.is_idle());
    assert_eq!(script(&mut lifecycle, [Input::IdleTimeout]), [""; 0]);
}

#[test]
fn an_idle_entity_is_passivated_and_comes_back_with_its_state() {
    let mut lifecycle = live(3);
    assert_eq!(script(&mut lifecycle, [Input::IdleTimeout]), ["half-close"]);
    assert_eq!(script(&mut lifecycle, [command(2)]), [""; 0]);
    assert_eq!(script(&mut lifecycle, [Input::StreamEnded(End::Completed)]), ["load"]);
    let opened = script(&mut lifecycle, [loaded(3), Input::Opened]);
    assert_eq!(opened, ["open", "init e1 with 3", "command 1 c2"]);
    script(&mut lifecycle, [reply(1, None), Input::IdleTimeout]);
    assert_eq!(script(&mut lifecycle, [Input::CloseTimedOut]), ["reset", "stop"]);
}

#[test]
fn a_deleted_entity_is_closed_at_once_and_answers_when_that_is_stored() {
    let mut lifecycle = watched(3);
    script(&mut lifecycle, [command(3), command(4), command(5)]);
    assert_eq!(script(&mut lifecycle, [reply(3, deletion())]), ["half-close", "write the tombstone"]);
    // Until it is stored nothing is told. What was under way may still be answered, and changes nothing.
    assert_eq!(script(&mut lifecycle, [command(6), reply(4, plus(1)), element(2, "late")]), [""; 0]);
    assert_eq!(
        script(&mut lifecycle, [WRITTEN]),
        ["answer 3: ok", "answer 200: nothing", "answer 4: ok", "answer 6: NotFound Entity deleted",]
    );
    assert_eq!(script(&mut lifecycle, [command(7)]), ["answer 7: NotFound Entity deleted"]);
    let ended = script(&mut lifecycle, [Input::StreamEnded(End::Completed)]);
    assert_eq!(ended, ["answer 5: NotFound Entity deleted", "stop"]);
}

#[test]
fn a_tombstone_that_is_not_written_deletes_nothing() {
    let mut lifecycle = live(3);
    script(&mut lifecycle, [command(2), reply(2, deletion()), command(3)]);
    let outputs = script(&mut lifecycle, [not_written()]);
    assert_eq!(
        outputs,
        [
            "answer 2: Unavailable Failed to update CRDT at requested write consistency",
            "report Failed to update CRDT: the disk is full",
            "reset",
            "load",
        ]
    );
    let again = script(&mut lifecycle, [loaded(3), Input::Opened]);
    assert_eq!(again, ["open", "init e1 with 3", "command 1 c3"]);
}

#[test]
fn a_deleted_entity_gets_no_stream() {
    let mut lifecycle = dormant();
    let outputs = script(&mut lifecycle, [command(1), Input::Loaded(Ok(Some(StoredCrdt::Deleted)))]);
    assert_eq!(outputs, ["load", "answer 1: NotFound Entity deleted", "stop"]);
}

#[test]
fn a_cancellation_may_delete() {
    let mut lifecycle = watched(3);
    let outputs = script(&mut lifecycle, [Input::ClientGone(200), cancelled(2, deletion()), WRITTEN]);
    assert_eq!(outputs, ["cancel 2", "half-close", "write the tombstone", "answer 200: nothing, then e"]);
}

#[test]
fn a_command_that_times_out_is_answered_and_its_late_reply_still_counts() {
    let mut lifecycle = live(0);
    script(&mut lifecycle, [command(2), command(3)]);
    let late = "answer 2: DeadlineExceeded the command was not answered in time";
    assert_eq!(script(&mut lifecycle, [timed_out(2)]), [late]);
    assert_eq!(script(&mut lifecycle, [reply(2, plus(1)), WRITTEN]), ["write 1"]);
    assert_eq!(script(&mut lifecycle, [reply(3, None)]), ["answer 3: ok"]);
}

#[test]
fn a_streamed_reply_that_is_too_late_is_cancelled() {
    let mut lifecycle = live(0);
    script(&mut lifecycle, [streamed(2), timed_out(2)]);
    assert_eq!(script(&mut lifecycle, [first(2, None)]), ["cancel 2"]);
}

#[test]
fn a_function_that_answers_nothing_is_passivated_or_given_up() {
    let mut lifecycle = live(0);
    let silence = [command(2), command(3), command(4), timed_out(2), timed_out(3)];
    script(&mut lifecycle, silence);
    assert!(!lifecycle.is_idle());
    assert_eq!(
        script(&mut lifecycle, [command(5)]),
        [
            "report the user function leaves commands unanswered",
            "reset",
            "answer 4: Unavailable Entity terminating",
            "load",
        ]
    );
    script(&mut lifecycle, [loaded(0), Input::Opened, timed_out(5)]);
    assert_eq!(script(&mut lifecycle, [Input::IdleTimeout]), ["half-close"]);
}

#[test]
fn there_are_bounds() {
    let mut lifecycle = live(0);
    script(&mut lifecycle, [command(2), command(3), command(4)]);
    let full = "answer 5: ResourceExhausted 3 commands are already waiting for this entity";
    assert_eq!(script(&mut lifecycle, [command(5)]), [full]);
    script(&mut lifecycle, [reply(2, None), reply(3, None), reply(4, None)]);
    script(&mut lifecycle, [streamed(6), first(5, None), streamed(7), first(6, None)]);
    let full = "answer 8: ResourceExhausted 2 streams of this entity are already open";
    assert_eq!(script(&mut lifecycle, [streamed(8)]), [full]);
    assert_eq!(script(&mut lifecycle, [command(9)]), ["command 7 c9"]);
}

#[test]
fn without_a_user_function_commands_wait_their_time() {
    let mut lifecycle = dormant();
    script(&mut lifecycle, [command(1), loaded(0)]);
    let unreachable = Some("nobody there".to_owned());
    let timed_out = script(&mut lifecycle, [Input::TimedOut { token: 1, unreachable }]);
    assert_eq!(timed_out, ["answer 1: Unavailable nobody there"]);
    assert!(lifecycle.is_idle());
    assert_eq!(script(&mut lifecycle, [Input::IdleTimeout]), ["reset", "stop"]);
}

#[test]
fn when_the_process_is_lost_unanswered_commands_go_to_the_next_one() {
    let mut lifecycle = watched(0);
    script(&mut lifecycle, [command(3), streamed(4), command(5), reply(5, plus(1)), Input::ClientGone(4)]);
    let lost = || Input::StreamEnded(End::Lost);
    assert_eq!(script(&mut lifecycle, [lost()]), ["answer 4: Unavailable Unexpected entity termination"]);
    // The reply had come: it is stored and told, before the state is read again.
    let settled = script(&mut lifecycle, [command(6), WRITTEN]);
    let gone = "answer 200: Unavailable Unexpected entity termination";
    assert_eq!(settled, ["answer 5: ok", gone, "load"]);
    let again = script(&mut lifecycle, [loaded(1), Input::Opened]);
    assert_eq!(again, ["open", "init e1 with 1", "command 1 c3", "command 2 c6"]);
    // Not for ever.
    for _ in 0..2 {
        let again = script(&mut lifecycle, [lost(), loaded(1), Input::Opened]);
        assert_eq!(again, ["load", "open", "init e1 with 1", "command 1 c3", "command 2 c6"]);
    }
    let last = script(&mut lifecycle, [lost(), loaded(1), Input::Opened]);
    let given_up = "answer 3: Unavailable Unexpected entity termination";
    assert_eq!(last, [given_up, "load", "open", "init e1 with 1", "command 1 c6"]);
}

#[test]
fn before_the_proxy_stops_streams_are_completed_and_commands_go_on() {
    let mut lifecycle = watched(0);
    assert_eq!(script(&mut lifecycle, [Input::CompleteStreams]), ["answer 200: nothing"]);
    let outputs = script(&mut lifecycle, [streamed(3), first(3, None), command(4), reply(4, None)]);
    assert_eq!(outputs, ["streamed 3 s3", "answer 3: first", "command 4 c4", "answer 4: ok"]);
}

#[test]
fn a_proxy_that_stops_finishes_commands_and_completes_streams() {
    let mut lifecycle = watched(0);
    script(&mut lifecycle, [command(3), streamed(4)]);
    assert_eq!(script(&mut lifecycle, [Input::Drain]), ["answer 200: nothing"]);
    assert_eq!(script(&mut lifecycle, [reply(3, plus(1)), first(4, None)]), ["write 1"]);
    assert_eq!(script(&mut lifecycle, [WRITTEN]), ["answer 3: ok", "answer 4: first", "half-close"]);
    assert_eq!(script(&mut lifecycle, [Input::StreamEnded(End::Completed)]), ["stop"]);
    assert_eq!(script(&mut dormant(), [Input::Drain]), ["stop"]);
    let waiting =
        script(&mut dormant(), [command(1), Input::Drain, loaded(0), Input::Opened, reply(1, None)]);
    assert_eq!(waiting, ["load", "open", "init e1 with 0", "command 1 c1", "answer 1: ok", "half-close"]);
}

#[test]
fn failures_of_the_function_keep_their_code() {
    let mut lifecycle = live(0);
    let coded = WireFailure {
        command_id: 2,
        description: "no".to_owned(),
        grpc_status_code: Code::Aborted as u32,
        ..WireFailure::default()
    };
    let outputs = script(&mut lifecycle, [command(2), out(Out::Failure(coded))]);
    assert_eq!(outputs, ["command 2 c2", "answer 2: Aborted no"]);
}

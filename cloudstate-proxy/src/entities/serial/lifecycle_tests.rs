//! Conversations with the lifecycle, in words.

use cloudstate_proto::{
    client_action::Action,
    eventsourced::{EventSourcedStreamIn, event_sourced_stream_in::Message as EsIn},
    valueentity::{
        ValueEntityAction, ValueEntityReply, ValueEntityStreamOut, ValueEntityUpdate,
        value_entity_action::Action as StateAction, value_entity_stream_out::Message as VeOut,
    },
};

use super::{
    event_sourced,
    lifecycle::{Input, Lifecycle, Output},
    scripted::{
        Scripted, Sent, command, command_to, failure, lifecycle, message, reply, stream_failure, timed_out,
    },
    value,
};
use crate::{
    entities::{Answer, stream::End},
    error_code::ErrorCode,
    routing::Failure,
    storage::{StoredEvent, StoredSnapshot},
    user_function::{EventSourced, Value},
};

fn no_snapshot() -> Input<EventSourced> {
    Input::Loaded(event_sourced::Loaded::Snapshot(None))
}

fn events<const N: usize>(sequences: [u64; N]) -> Input<EventSourced> {
    let events = sequences.map(|sequence| StoredEvent { sequence, payload: message("e") });
    Input::Loaded(event_sourced::Loaded::Events(events.into()))
}

fn state(text: Option<&str>) -> Input<Value> {
    Input::Loaded(value::Loaded(text.map(message)))
}

/// The conversation in words: what the lifecycle does, without what it observes.
fn script<K: Scripted>(
    lifecycle: &mut Lifecycle<K>,
    inputs: impl IntoIterator<Item = Input<K>>,
) -> Vec<String> {
    let mut outputs = Vec::new();
    for input in inputs {
        lifecycle.step(input, &mut outputs);
    }
    outputs.iter().filter_map(words).collect()
}

fn words<K: Scripted>(output: &Output<K>) -> Option<String> {
    Some(match output {
        Output::OpenStream => "open".to_owned(),
        Output::Load(load) => format!("load {load:?}"),
        Output::Send(message) => match K::sent(message) {
            Sent::Init(_, text) => text,
            Sent::Event(sequence) => format!("event {sequence}"),
            Sent::Command(command) => format!("command {} {}", command.id, command.name),
        },
        Output::HalfClose => "half-close".to_owned(),
        Output::Reset => "reset".to_owned(),
        Output::Store { position, changes } => {
            format!("store {} after {position:?}", K::volume_stored(changes).items)
        }
        Output::Answer(token, Answer::Decided { action, .. }) => match action {
            Some(Action::Failure(failure)) => format!("answer {token}: failure {}", failure.description),
            Some(_) => format!("answer {token}: reply"),
            None => format!("answer {token}: nothing"),
        },
        Output::Answer(token, Answer::Failed(failure)) => {
            format!("answer {token}: failed {}", failure.description)
        }
        Output::Report(_) | Output::Observed(_) => return None,
        Output::Stop => "stop".to_owned(),
    })
}

/// An event sourced entity without history that is ready for commands.
fn ready() -> Lifecycle<EventSourced> {
    let mut lifecycle = lifecycle();
    script(&mut lifecycle, [command(1), no_snapshot(), events([]), reply(1, 0)]);
    lifecycle
}

/// A value entity without state that is ready for commands.
fn ready_value() -> Lifecycle<Value> {
    let mut lifecycle = lifecycle();
    script(&mut lifecycle, [command(1), state(None), reply(1, 0)]);
    lifecycle
}

#[test]
fn the_first_command_activates_and_follows_the_history() {
    let mut lifecycle = lifecycle();
    assert_eq!(script(&mut lifecycle, [command(1)]), ["open", "load Snapshot"]);
    let snapshot = StoredSnapshot { sequence: 5, payload: message("s") };
    let snapshot = Input::Loaded(event_sourced::Loaded::Snapshot(Some(snapshot)));
    assert_eq!(script(&mut lifecycle, [snapshot]), ["init e1 with snapshot 5", "load EventsAfter(5)"]);
    assert_eq!(script(&mut lifecycle, [events([6, 7])]), ["event 6", "event 7", "load EventsAfter(7)"]);
    assert_eq!(script(&mut lifecycle, [events([])]), ["command 1 c1"]);
    assert_eq!(script(&mut lifecycle, [reply(1, 2)]), ["store 2 after 7"]);
    assert_eq!(script(&mut lifecycle, [Input::Stored(Ok(9))]), ["answer 1: reply"]);
    assert_eq!(script(&mut lifecycle, [command(2)]), ["command 2 c2"]);
    assert_eq!(script(&mut lifecycle, [reply(2, 1)]), ["store 1 after 9"]);
}

#[test]
fn a_value_is_loaded_once_and_stored_before_the_answer() {
    let mut lifecycle = lifecycle();
    assert_eq!(script(&mut lifecycle, [command(1)]), ["open", "load LoadState"]);
    assert_eq!(script(&mut lifecycle, [state(Some("5"))]), [r#"init e1 with Some("5")"#, "command 1 c1"]);
    assert_eq!(script(&mut lifecycle, [reply(1, 6)]), ["store 1 after ()"]);
    assert_eq!(script(&mut lifecycle, [Input::Stored(Ok(()))]), ["answer 1: reply"]);
    assert_eq!(script(&mut lifecycle, [command(2), reply(2, 0)]), ["command 2 c2", "answer 2: reply"]);
}

#[test]
fn commands_go_one_at_a_time_and_the_stash_is_bounded() {
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [command(2), command(3), command(4), command(5), command(6)]),
        ["command 2 c2", "answer 6: failed 3 commands are already waiting for this entity"]
    );
    assert_eq!(script(&mut lifecycle, [reply(2, 0)]), ["answer 2: reply", "command 3 c3"]);
}

#[test]
fn a_failure_keeps_the_stream_and_stores_nothing() {
    let expected = ["command 2 c2", "answer 2: failure no", "command 3 c3"];
    assert_eq!(script(&mut ready(), [command(2), failure(2, false, 0), command(3)]), expected);
    assert_eq!(script(&mut ready_value(), [command(2), failure(2, false, 0), command(3)]), expected);
    // Only event sourced entities know what it means.
    assert_eq!(script(&mut ready_value(), [command(2), failure(2, true, 0), command(3)]), expected);
}

#[test]
fn a_restart_reopens_at_once_and_keeps_the_queue() {
    for (restart, changes) in [(true, 0), (true, 2), (false, 2)] {
        let mut lifecycle = ready();
        assert_eq!(
            script(&mut lifecycle, [command(2), command(3), failure(2, restart, changes)]),
            ["command 2 c2", "answer 2: failure no", "half-close"]
        );
        assert_eq!(script(&mut lifecycle, [reply(3, 1)]), [""; 0], "whatever still arrives is ignored");
        assert_eq!(script(&mut lifecycle, [Input::StreamEnded(End::Completed)]), ["open", "load Snapshot"]);
        assert_eq!(
            script(&mut lifecycle, [no_snapshot(), events([])]),
            ["init e1", "load EventsAfter(0)", "command 1 c3"]
        );
    }
    let mut lifecycle = ready_value();
    assert_eq!(
        script(&mut lifecycle, [command(2), failure(2, false, 7), Input::StreamEnded(End::Completed)]),
        ["command 2 c2", "answer 2: failure no", "half-close", "open", "load LoadState"],
        "a failed command keeps nothing"
    );
}

#[test]
fn violations_fail_the_caller_and_the_queue_then_close() {
    for (input, text) in [
        (reply(9, 0), "Unexpected entity reply"),
        (Input::FromFunction(EventSourced::nothing()), "Unexpected entity message"),
        (stream_failure(0), "Unexpected entity failure"),
        (stream_failure(9), "Unexpected entity failure"),
        (stream_failure(2), "boom"),
    ] {
        violation(ready(), input, text, "Entity terminated");
    }
    let state_action = |action| {
        let state_action = Some(ValueEntityAction { action });
        let reply = ValueEntityReply { command_id: 2, state_action, ..ValueEntityReply::default() };
        Input::FromFunction(ValueEntityStreamOut { message: Some(VeOut::Reply(reply)) })
    };
    let no_value = StateAction::Update(ValueEntityUpdate { value: None });
    for (input, text) in [
        (reply(9, 0), "Unexpected Value entity reply"),
        (Input::FromFunction(Value::nothing()), "Unexpected Value entity failure"),
        (stream_failure(0), "Unexpected Value entity failure"),
        (stream_failure(2), "boom"),
        (state_action(None), "Unexpected Value entity failure"),
        (state_action(Some(no_value)), "Unexpected Value entity failure"),
    ] {
        violation(ready_value(), input, text, "Value entity terminated");
    }
}

fn violation<K: Scripted>(mut lifecycle: Lifecycle<K>, input: Input<K>, text: &str, queued: &str) {
    assert_eq!(
        script(&mut lifecycle, [command(2), command(3), input]),
        [
            "command 2 c2",
            &format!("answer 2: failed {text}"),
            &format!("answer 3: failed {queued}"),
            "half-close"
        ]
    );
    assert_eq!(script(&mut lifecycle, [Input::StreamEnded(End::Completed)]), ["stop"]);
}

#[test]
fn a_stream_that_ends_fails_those_who_wait_but_never_lies_about_what_is_stored() {
    for end in [End::Completed, End::Failed("reset".to_owned())] {
        assert_eq!(
            script(&mut ready(), [command(2), Input::StreamEnded(end.clone())]),
            ["command 2 c2", "answer 2: failed Unexpected entity termination", "stop"]
        );
        assert_eq!(
            script(&mut ready_value(), [command(2), Input::StreamEnded(end.clone())]),
            ["command 2 c2", "answer 2: failed Unexpected Value entity termination", "stop"]
        );
        let mut lifecycle = ready();
        assert_eq!(
            script(&mut lifecycle, [command(2), reply(2, 1), command(3), Input::StreamEnded(end)]),
            ["command 2 c2", "store 1 after 0", "answer 3: failed Entity terminated"]
        );
        assert_eq!(script(&mut lifecycle, [Input::Stored(Ok(1))]), ["answer 2: reply", "stop"]);
    }
}

#[test]
fn a_lost_process_keeps_its_commands_in_order() {
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [command(2), command(3), Input::StreamEnded(End::Lost)]),
        ["command 2 c2", "open", "load Snapshot"]
    );
    assert_eq!(
        script(&mut lifecycle, [no_snapshot(), events([]), reply(1, 0)]),
        ["init e1", "load EventsAfter(0)", "command 1 c2", "answer 2: reply", "command 2 c3"]
    );
}

#[test]
fn what_was_stored_before_the_process_was_lost_is_not_sent_again() {
    let mut lifecycle = ready_value();
    assert_eq!(
        script(&mut lifecycle, [command(2), reply(2, 1), command(3), Input::StreamEnded(End::Lost)]),
        ["command 2 c2", "store 1 after ()"]
    );
    assert_eq!(
        script(&mut lifecycle, [Input::Stored(Ok(())), state(Some("1"))]),
        ["answer 2: reply", "open", "load LoadState", r#"init e1 with Some("1")"#, "command 1 c3"]
    );
}

#[test]
fn a_command_that_kills_every_process_is_given_up() {
    let mut lifecycle = ready();
    script(&mut lifecycle, [command(2)]);
    for _resend in 0..3 {
        let again = script(&mut lifecycle, [Input::StreamEnded(End::Lost), no_snapshot(), events([])]);
        assert_eq!(again.last().unwrap(), "command 1 c2");
    }
    assert_eq!(
        script(&mut lifecycle, [Input::StreamEnded(End::Lost)]),
        ["answer 2: failed Unexpected entity termination", "stop"]
    );
}

#[test]
fn a_proxy_that_stops_holds_nothing() {
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [command(2), command(3), Input::Drain, Input::StreamEnded(End::Lost)]),
        [
            "command 2 c2",
            "answer 2: failed Unexpected entity termination",
            "answer 3: failed Entity terminated",
            "stop"
        ]
    );
}

#[test]
fn what_cannot_be_stored_fails_and_the_state_is_rebuilt() {
    let mut lifecycle = ready();
    script(&mut lifecycle, [command(2), reply(2, 1), command(3)]);
    assert_eq!(
        script(&mut lifecycle, [Input::Stored(Err(Failure::new(ErrorCode::NotStored, "disk full")))]),
        ["answer 2: failed disk full", "answer 3: failed Entity terminated", "half-close"]
    );
}

#[test]
fn passivation_half_closes_and_late_commands_reactivate() {
    let mut lifecycle = ready();
    assert_eq!(script(&mut lifecycle, [Input::IdleTimeout, command(2)]), ["half-close"]);
    assert_eq!(script(&mut lifecycle, [Input::StreamEnded(End::Completed)]), ["open", "load Snapshot"]);
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [Input::IdleTimeout, Input::StreamEnded(End::Completed)]),
        ["half-close", "stop"]
    );
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [Input::IdleTimeout, Input::CloseTimedOut]),
        ["half-close", "reset", "stop"]
    );
}

/// The contract was changed while it lived: a service may have another name for the same stored entities.
#[test]
fn an_activation_uses_the_newest_name_of_the_service() {
    let mut lifecycle = ready();
    script(
        &mut lifecycle,
        [Input::IdleTimeout, command_to("Renamed", 2), Input::StreamEnded(End::Completed)],
    );
    let mut outputs = Vec::new();
    lifecycle.step(no_snapshot(), &mut outputs);
    let named = outputs.iter().any(|output| match output {
        Output::Send(EventSourcedStreamIn { message: Some(EsIn::Init(init)) }) => {
            init.service_name == "Renamed"
        }
        _ => false,
    });
    assert!(named, "{outputs:?}");
}

#[test]
fn a_stuck_function_costs_its_command_only() {
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [command(2), command(3), timed_out(2)]),
        [
            "command 2 c2",
            "answer 2: failed the command was not answered in time",
            "reset",
            "open",
            "load Snapshot"
        ]
    );
    assert_eq!(
        script(&mut lifecycle, [timed_out(3)]),
        ["answer 3: failed the command was not answered in time", "reset", "stop"]
    );
}

#[test]
fn draining_finishes_what_is_here() {
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [command(2), command(3), Input::Drain, reply(2, 0), reply(3, 0)]),
        ["command 2 c2", "answer 2: reply", "command 3 c3", "answer 3: reply", "half-close"]
    );
    assert_eq!(script(&mut lifecycle, [Input::StreamEnded(End::Completed)]), ["stop"]);
}

#[test]
fn an_unreachable_function_is_named() {
    let mut lifecycle = lifecycle::<EventSourced>();
    let unreachable = Some("not reachable: connection refused".to_owned());
    assert_eq!(
        script(&mut lifecycle, [command(1), Input::TimedOut { token: 1, unreachable }]),
        ["open", "load Snapshot", "answer 1: failed not reachable: connection refused", "reset", "stop"]
    );
}

#[test]
fn a_timeout_has_its_code() {
    let mut lifecycle = ready();
    let mut outputs = Vec::new();
    lifecycle.step(command(2), &mut outputs);
    outputs.clear();
    lifecycle.step(timed_out(2), &mut outputs);
    let failure = Failure::new(ErrorCode::NoAnswer, "the command was not answered in time");
    assert!(outputs.contains(&Output::Answer(2, Answer::Failed(failure))));
}

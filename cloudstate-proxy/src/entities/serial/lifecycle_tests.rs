//! Drives the lifecycle with conversations and with random sequences, against a model of what must hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cloudstate_proto::{
    Any, ClientAction, Command, Failure as WireFailure, Reply as WireReply,
    client_action::Action,
    eventsourced::{
        EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
        event_sourced_stream_in::Message as EsIn, event_sourced_stream_out::Message as EsOut,
    },
    valueentity::{
        ValueEntityAction, ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut, ValueEntityUpdate,
        value_entity_action::Action as StateAction, value_entity_stream_in::Message as VeIn,
        value_entity_stream_out::Message as VeOut,
    },
};
use proptest::prelude::*;

use super::{
    event_sourced::{self, Emitted},
    kind::SerialKind,
    lifecycle::{Incoming, Input, Lifecycle, Output},
    value,
};
use crate::{
    entities::{Answer, Token, stream::End},
    error_code::ErrorCode,
    routing::Failure,
    service_catalog::{EntityKind, Method, Service},
    storage::{StoredEvent, StoredSnapshot},
    user_function::{EventSourced, Value},
};

/// A kind of entity as both sides of it see it.
trait Scripted: SerialKind {
    fn reply(command_id: i64, action: Action, changes: usize) -> Self::Out;
    fn stream_failure(failure: WireFailure) -> Self::Out;
    fn nothing() -> Self::Out;
    fn sent(message: &Self::In) -> Sent;
    /// What a store holding so many changes answers; a page has `page` events at most.
    fn loaded(load: Self::Load, stored: u64, page: u64) -> Self::Loaded;
    /// How many changes a store holds after these, if they were made against what it holds.
    fn kept(stored: u64, position: Self::Position, changes: &Self::Changes) -> (u64, Self::Position);
}

/// A message to the user function.
enum Sent {
    /// With so many stored changes in it.
    Init(u64, String),
    Event(u64),
    Command(Command),
}

impl Scripted for EventSourced {
    fn reply(command_id: i64, action: Action, changes: usize) -> EventSourcedStreamOut {
        let message = Some(EsOut::Reply(EventSourcedReply {
            command_id,
            client_action: Some(ClientAction { action: Some(action) }),
            events: vec![message("e"); changes],
            ..EventSourcedReply::default()
        }));
        EventSourcedStreamOut { message }
    }

    fn stream_failure(failure: WireFailure) -> EventSourcedStreamOut {
        EventSourcedStreamOut { message: Some(EsOut::Failure(failure)) }
    }

    fn nothing() -> EventSourcedStreamOut {
        EventSourcedStreamOut { message: None }
    }

    fn sent(message: &EventSourcedStreamIn) -> Sent {
        match message.message.clone().unwrap() {
            EsIn::Init(init) => match init.snapshot {
                Some(snapshot) => {
                    let sequence = snapshot.snapshot_sequence;
                    let text = format!("init {} with snapshot {sequence}", init.entity_id);
                    Sent::Init(sequence as u64, text)
                }
                None => Sent::Init(0, format!("init {}", init.entity_id)),
            },
            EsIn::Event(event) => Sent::Event(event.sequence as u64),
            EsIn::Command(command) => Sent::Command(command),
        }
    }

    fn loaded(load: Self::Load, stored: u64, page: u64) -> Self::Loaded {
        match load {
            event_sourced::Load::Snapshot => event_sourced::Loaded::Snapshot(None),
            event_sourced::Load::EventsAfter(after) => {
                let page = after + 1..=stored.min(after + page);
                let events = page.map(|sequence| StoredEvent { sequence, payload: message("e") });
                event_sourced::Loaded::Events(events.collect())
            }
        }
    }

    fn kept(stored: u64, position: u64, changes: &Emitted) -> (u64, u64) {
        assert_eq!(position, stored, "every append continues the journal");
        let stored = stored + changes.events.len() as u64;
        (stored, stored)
    }
}

impl Scripted for Value {
    fn reply(command_id: i64, action: Action, changes: usize) -> ValueEntityStreamOut {
        let update = ValueEntityUpdate { value: Some(message(&changes.to_string())) };
        let message = Some(VeOut::Reply(ValueEntityReply {
            command_id,
            client_action: Some(ClientAction { action: Some(action) }),
            state_action: (changes > 0)
                .then_some(ValueEntityAction { action: Some(StateAction::Update(update)) }),
            ..ValueEntityReply::default()
        }));
        ValueEntityStreamOut { message }
    }

    fn stream_failure(failure: WireFailure) -> ValueEntityStreamOut {
        ValueEntityStreamOut { message: Some(VeOut::Failure(failure)) }
    }

    fn nothing() -> ValueEntityStreamOut {
        ValueEntityStreamOut { message: None }
    }

    fn sent(message: &ValueEntityStreamIn) -> Sent {
        match message.message.clone().unwrap() {
            VeIn::Init(init) => {
                let state = init.state.expect("the state is always there").value;
                let text = state.map(|state| String::from_utf8(state.value.to_vec()).unwrap());
                let stored = text.as_deref().map_or(0, |text| text.parse().unwrap());
                Sent::Init(stored, format!("init {} with {text:?}", init.entity_id))
            }
            VeIn::Command(command) => Sent::Command(command),
        }
    }

    fn loaded(_: value::LoadState, stored: u64, _: u64) -> value::Loaded {
        value::Loaded((stored > 0).then(|| message(&stored.to_string())))
    }

    fn kept(_: u64, (): (), changes: &value::NewState) -> (u64, ()) {
        let text = String::from_utf8(changes.0.as_ref().unwrap().value.to_vec()).unwrap();
        (text.parse().unwrap(), ())
    }
}

fn message(text: &str) -> Any {
    Any { type_url: "type.googleapis.com/test".to_owned(), value: text.to_owned().into() }
}

/// The name of its rpc is `c` and its token.
fn command<K: SerialKind>(token: Token) -> Input<K> {
    command_to("Service", token)
}

fn command_to<K: SerialKind>(service: &str, token: Token) -> Input<K> {
    let service = Service {
        name: service.into(),
        kind: EntityKind::EventSourced,
        persistence_id: "p".into(),
        passivate_after: None,
        is_stateless_function: false,
    };
    let method = Method {
        service: Arc::new(service),
        name: format!("c{token}").into(),
        input_type: "test".to_owned(),
        output_type: "test".to_owned(),
        input_type_url: "type.googleapis.com/test".to_owned(),
        output_type_url: "type.googleapis.com/test".to_owned(),
        client_streaming: false,
        server_streaming: false,
        entity_key: Default::default(),
        eventing: None,
        http: None,
    };
    Input::Command(Incoming {
        token,
        method: Arc::new(method),
        payload: Default::default(),
        context: Default::default(),
        resends: 0,
    })
}

fn reply<K: Scripted>(command_id: i64, changes: usize) -> Input<K> {
    let action = Action::Reply(WireReply { payload: Some(message("ok")), metadata: None });
    Input::FromFunction(K::reply(command_id, action, changes))
}

fn failure<K: Scripted>(command_id: i64, restart: bool, changes: usize) -> Input<K> {
    let description = "no".to_owned();
    let action = Action::Failure(WireFailure { command_id, description, restart, grpc_status_code: 0 });
    Input::FromFunction(K::reply(command_id, action, changes))
}

fn stream_failure<K: Scripted>(command_id: i64) -> Input<K> {
    let description = "boom".to_owned();
    Input::FromFunction(K::stream_failure(WireFailure { command_id, description, ..WireFailure::default() }))
}

fn timed_out<K: SerialKind>(token: Token) -> Input<K> {
    Input::TimedOut { token, unreachable: None }
}

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

fn lifecycle<K: SerialKind>() -> Lifecycle<K> {
    Lifecycle::new("Service".into(), "e1".into(), 3)
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

/// What may happen next; the model gives only inputs that the shell could give.
#[derive(Clone, Debug)]
enum Step {
    Command,
    Reply { skew: i64, changes: usize },
    Failure { restart: bool, changes: usize },
    StreamFailure { skew: i64 },
    Garbage,
    End(usize),
    Store { fails: bool, page: u64 },
    TimeOut { oldest: bool },
    Idle,
    CloseTimedOut,
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let skew = prop_oneof![9 => Just(0i64), 1 => -1..2i64];
    prop_oneof![
        6 => Just(Step::Command),
        6 => (skew, 0..3usize).prop_map(|(skew, changes)| Step::Reply { skew, changes }),
        2 => (any::<bool>(), 0..2usize).prop_map(|(restart, changes)| Step::Failure { restart, changes }),
        1 => (0..2i64).prop_map(|skew| Step::StreamFailure { skew }),
        1 => Just(Step::Garbage),
        3 => (0..4usize).prop_map(Step::End),
        9 => (prop_oneof![9 => Just(false), 1 => Just(true)], 1..3u64)
            .prop_map(|(fails, page)| Step::Store { fails, page }),
        1 => any::<bool>().prop_map(|oldest| Step::TimeOut { oldest }),
        1 => Just(Step::Idle),
        1 => Just(Step::CloseTimedOut),
        1 => Just(Step::Drain),
    ]
}

/// A store, a stream and callers, as far as one entity sees them.
struct World<K: Scripted> {
    /// Events, or the number that is the value.
    stored: u64,
    waiting: BTreeSet<Token>,
    answered: BTreeMap<Token, Answer>,
    next_token: Token,
    stream: bool,
    half_closed: bool,
    known_to_function: u64,
    last_command_id: i64,
    outstanding: Option<Token>,
    pending: Option<Pending<K>>,
    draining: bool,
    stopped: bool,
}

enum Pending<K: Scripted> {
    Load(K::Load),
    Store { position: K::Position, changes: K::Changes, of: Token },
}

impl<K: Scripted> World<K> {
    fn new() -> Self {
        Self {
            stored: 0,
            waiting: BTreeSet::new(),
            answered: BTreeMap::new(),
            next_token: 0,
            stream: false,
            half_closed: false,
            known_to_function: 0,
            last_command_id: 0,
            outstanding: None,
            pending: None,
            draining: false,
            stopped: false,
        }
    }

    fn input(&mut self, step: Step) -> Option<Input<K>> {
        Some(match step {
            Step::Command => {
                self.next_token += 1;
                self.waiting.insert(self.next_token);
                command(self.next_token)
            }
            Step::Reply { skew, changes } if self.stream => reply(self.last_command_id + skew, changes),
            Step::Failure { restart, changes } if self.stream => {
                failure(self.last_command_id, restart, changes)
            }
            Step::StreamFailure { skew } if self.stream => stream_failure(self.last_command_id + skew),
            Step::Garbage if self.stream => Input::FromFunction(K::nothing()),
            Step::End(how) if self.stream => {
                (self.stream, self.outstanding) = (false, None);
                let ends = [End::Completed, End::Failed("reset".to_owned()), End::Lost, End::Lost];
                Input::StreamEnded(ends[how].clone())
            }
            Step::Store { fails, page } => match self.pending.take()? {
                Pending::Store { .. } if fails => {
                    Input::Stored(Err(Failure::new(ErrorCode::NotStored, "full")))
                }
                Pending::Store { position, changes, .. } => {
                    let (stored, position) = K::kept(self.stored, position, &changes);
                    self.stored = stored;
                    Input::Stored(Ok(position))
                }
                Pending::Load(_) if fails => Input::LoadFailed("gone".to_owned()),
                Pending::Load(load) => Input::Loaded(K::loaded(load, self.stored, page)),
            },
            Step::TimeOut { oldest } => {
                let token = if oldest { self.waiting.first() } else { self.waiting.last() };
                timed_out(*token?)
            }
            Step::Idle => Input::IdleTimeout,
            Step::CloseTimedOut => Input::CloseTimedOut,
            Step::Drain if !self.draining => {
                self.draining = true;
                Input::Drain
            }
            _ => return None,
        })
    }

    fn carry_out(&mut self, output: Output<K>) {
        match output {
            Output::OpenStream => {
                assert!(!self.stream, "one stream at a time");
                (self.stream, self.half_closed) = (true, false);
                (self.known_to_function, self.last_command_id) = (0, 0);
                assert!(
                    !matches!(self.pending, Some(Pending::Store { .. })),
                    "a stored command is settled first"
                );
            }
            // The shell keeps only the newest thing to load; what is asked anew takes the place of the old.
            Output::Load(load) => self.pending = Some(Pending::Load(load)),
            Output::Store { position, changes } => {
                assert!(self.pending.is_none(), "one request to the store at a time");
                let of = self.outstanding.take().expect("only a command changes something");
                self.pending = Some(Pending::Store { position, changes, of });
            }
            Output::Send(message) => {
                assert!(self.stream && !self.half_closed, "nothing is sent on a closed stream");
                self.send(&message);
            }
            Output::HalfClose => (self.half_closed, self.outstanding) = (true, None),
            Output::Reset => (self.stream, self.outstanding) = (false, None),
            Output::Answer(token, answer) => {
                if let Some(Pending::Store { of, .. }) = &self.pending {
                    assert_ne!(*of, token, "answered before its changes are stored");
                }
                if self.outstanding == Some(token) {
                    self.outstanding = None;
                }
                assert!(self.waiting.remove(&token), "exactly one answer for {token}");
                self.answered.insert(token, answer);
            }
            Output::Stop => {
                assert!(self.waiting.is_empty() && !self.stream, "nobody is forgotten");
                self.stopped = true;
            }
            Output::Report(_) | Output::Observed(_) => {}
        }
    }

    fn send(&mut self, message: &K::In) {
        match K::sent(message) {
            Sent::Init(stored, _) => self.known_to_function = stored,
            Sent::Event(sequence) => {
                self.known_to_function += 1;
                assert_eq!(sequence, self.known_to_function, "history has no gap");
            }
            Sent::Command(command) => {
                if self.last_command_id == 0 {
                    assert_eq!(self.known_to_function, self.stored, "commands follow all that is stored");
                }
                self.last_command_id += 1;
                assert_eq!(command.id, self.last_command_id);
                let token: Token = command.name[1..].parse().unwrap();
                assert!(self.waiting.contains(&token), "only commands that wait are sent");
                assert_eq!(self.outstanding, None, "one command at a time");
                self.outstanding = Some(token);
            }
        }
    }
}

fn live<K: Scripted>(steps: Vec<Step>) {
    let mut lifecycle = lifecycle::<K>();
    let mut world = World::new();
    let mut outputs = Vec::new();
    // After the random part everything comes to rest: the store answers, the function answers or ends.
    let rest =
        (0..60).flat_map(|_| [Step::Store { fails: false, page: 9 }, Step::Reply { skew: 0, changes: 0 }]);
    let end = [Step::Drain, Step::End(0), Step::Store { fails: false, page: 9 }, Step::End(0)];
    for step in steps.into_iter().chain(rest).chain(end) {
        let Some(input) = world.input(step) else { continue };
        lifecycle.step(input, &mut outputs);
        for output in outputs.drain(..) {
            world.carry_out(output);
        }
    }
    assert!(world.waiting.is_empty(), "left waiting: {:?}", world.waiting);
    assert_eq!(world.answered.len() as u64, world.next_token);
}

// A failure prints the seed it can be repeated with, and the shortest sequence that fails.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_command_of_an_event_sourced_entity_gets_exactly_one_answer(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        live::<EventSourced>(steps);
    }

    #[test]
    fn every_command_of_a_value_entity_gets_exactly_one_answer(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        live::<Value>(steps);
    }
}

//! Drives the lifecycle with conversations and with random sequences, against a model of what must hold.

use std::collections::{BTreeMap, BTreeSet};

use cloudstate_proto::{
    Any, ClientAction, Failure as WireFailure, Reply as WireReply,
    client_action::Action,
    eventsourced::{
        EventSourcedReply, EventSourcedStreamOut, event_sourced_stream_in::Message as In,
        event_sourced_stream_out::Message as Out,
    },
};
use proptest::prelude::*;

use super::{Incoming, Input, Lifecycle, Output, Token};
use crate::{
    code::Code,
    entities::Answer,
    routing::Failure,
    storage::{StoredEvent, StoredSnapshot},
};

fn timed_out(token: Token) -> Input {
    Input::TimedOut { token, unreachable: None }
}

fn message(text: &str) -> Any {
    Any { type_url: "type.googleapis.com/test".to_owned(), value: text.to_owned().into() }
}

fn command(token: Token) -> Input {
    Input::Command(Incoming { token, name: format!("c{token}"), payload: message("") })
}

fn reply(command_id: i64, events: usize) -> Input {
    out(Out::Reply(EventSourcedReply {
        command_id,
        client_action: Some(ClientAction { action: Some(replied()) }),
        events: vec![message("e"); events],
        ..EventSourcedReply::default()
    }))
}

fn replied() -> Action {
    Action::Reply(WireReply { payload: Some(message("ok")), metadata: None })
}

fn failure(command_id: i64, restart: bool, events: usize) -> Input {
    out(Out::Reply(EventSourcedReply {
        command_id,
        client_action: Some(ClientAction { action: Some(failed(command_id, restart)) }),
        events: vec![message("e"); events],
        ..EventSourcedReply::default()
    }))
}

fn failed(command_id: i64, restart: bool) -> Action {
    let description = "no".to_owned();
    Action::Failure(WireFailure { command_id, description, restart, grpc_status_code: 0 })
}

fn out(message: Out) -> Input {
    Input::FromFunction(EventSourcedStreamOut { message: Some(message) })
}

/// The conversation in words: what the lifecycle does, without what it observes.
fn script(lifecycle: &mut Lifecycle, inputs: impl IntoIterator<Item = Input>) -> Vec<String> {
    let mut outputs = Vec::new();
    for input in inputs {
        lifecycle.step(input, &mut outputs);
    }
    outputs.iter().filter_map(words).collect()
}

fn words(output: &Output) -> Option<String> {
    Some(match output {
        Output::OpenStream => "open".to_owned(),
        Output::LoadSnapshot => "load snapshot".to_owned(),
        Output::LoadEvents { after } => format!("load events after {after}"),
        Output::Send(message) => match message.message.as_ref()? {
            In::Init(init) => match &init.snapshot {
                Some(snapshot) => {
                    format!("init {} with snapshot {}", init.entity_id, snapshot.snapshot_sequence)
                }
                None => format!("init {}", init.entity_id),
            },
            In::Event(event) => format!("event {}", event.sequence),
            In::Command(command) => format!("command {} {}", command.id, command.name),
        },
        Output::HalfClose => "half-close".to_owned(),
        Output::Reset => "reset".to_owned(),
        Output::Append { expected, events, snapshot } => {
            let with = if snapshot.is_some() { " and a snapshot" } else { "" };
            format!("append {} events after {expected}{with}", events.len())
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

fn lifecycle() -> Lifecycle {
    Lifecycle::new("Service", "e1", 3)
}

/// An entity without history that is ready for commands.
fn ready() -> Lifecycle {
    let mut lifecycle = lifecycle();
    let start = [command(1), Input::Snapshot(None), Input::Events(vec![]), reply(1, 0)];
    script(&mut lifecycle, start);
    lifecycle
}

#[test]
fn the_first_command_activates_and_follows_the_history() {
    let mut lifecycle = lifecycle();
    assert_eq!(script(&mut lifecycle, [command(1)]), ["open", "load snapshot"]);
    let snapshot = StoredSnapshot { sequence: 5, payload: message("s") };
    assert_eq!(
        script(&mut lifecycle, [Input::Snapshot(Some(snapshot))]),
        ["init e1 with snapshot 5", "load events after 5"]
    );
    let page = vec![
        StoredEvent { sequence: 6, payload: message("e") },
        StoredEvent { sequence: 7, payload: message("e") },
    ];
    assert_eq!(script(&mut lifecycle, [Input::Events(page)]), ["event 6", "event 7", "load events after 7"]);
    assert_eq!(script(&mut lifecycle, [Input::Events(vec![])]), ["command 1 c1"]);
    assert_eq!(script(&mut lifecycle, [reply(1, 2)]), ["append 2 events after 7"]);
    assert_eq!(script(&mut lifecycle, [Input::Stored(Ok(9))]), ["answer 1: reply"]);
    assert_eq!(script(&mut lifecycle, [command(2)]), ["command 2 c2"]);
    assert_eq!(script(&mut lifecycle, [reply(2, 1)]), ["append 1 events after 9"]);
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
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [command(2), failure(2, false, 0), command(3)]),
        ["command 2 c2", "answer 2: failure no", "command 3 c3"]
    );
}

#[test]
fn a_restart_reopens_at_once_and_keeps_the_queue() {
    for (restart, events) in [(true, 0), (true, 2), (false, 2)] {
        let mut lifecycle = ready();
        assert_eq!(
            script(&mut lifecycle, [command(2), command(3), failure(2, restart, events)]),
            ["command 2 c2", "answer 2: failure no", "half-close"]
        );
        assert_eq!(script(&mut lifecycle, [reply(3, 1)]), [""; 0], "whatever still arrives is ignored");
        assert_eq!(script(&mut lifecycle, [Input::StreamEnded(None)]), ["open", "load snapshot"]);
        assert_eq!(
            script(&mut lifecycle, [Input::Snapshot(None), Input::Events(vec![])]),
            ["init e1", "load events after 0", "command 1 c3"]
        );
    }
}

#[test]
fn violations_fail_the_caller_and_the_queue_then_close() {
    let none = Input::FromFunction(EventSourcedStreamOut { message: None });
    let stream_failure = |command_id| {
        let description = "boom".to_owned();
        out(Out::Failure(WireFailure { command_id, description, ..WireFailure::default() }))
    };
    for (input, text) in [
        (reply(9, 0), "Unexpected entity reply"),
        (none, "Unexpected entity message"),
        (stream_failure(0), "Unexpected entity failure"),
        (stream_failure(9), "Unexpected entity failure"),
        (stream_failure(2), "boom"),
    ] {
        let mut lifecycle = ready();
        assert_eq!(
            script(&mut lifecycle, [command(2), command(3), input]),
            [
                "command 2 c2",
                &format!("answer 2: failed {text}"),
                "answer 3: failed Entity terminated",
                "half-close"
            ]
        );
        assert_eq!(script(&mut lifecycle, [Input::StreamEnded(None)]), ["stop"]);
    }
}

#[test]
fn a_lost_stream_fails_those_who_wait_but_never_lies_about_stored_events() {
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [command(2), Input::StreamEnded(Some("reset".to_owned()))]),
        ["command 2 c2", "answer 2: failed Unexpected entity termination", "stop"]
    );
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [command(2), reply(2, 1), command(3), Input::StreamEnded(None)]),
        ["command 2 c2", "append 1 events after 0", "answer 3: failed Entity terminated"]
    );
    assert_eq!(script(&mut lifecycle, [Input::Stored(Ok(1))]), ["answer 2: reply", "stop"]);
}

#[test]
fn what_cannot_be_stored_fails_and_the_state_is_rebuilt() {
    let mut lifecycle = ready();
    script(&mut lifecycle, [command(2), reply(2, 1), command(3)]);
    assert_eq!(
        script(&mut lifecycle, [Input::Stored(Err(Failure::new(Code::Unavailable, "disk full")))]),
        ["answer 2: failed disk full", "answer 3: failed Entity terminated", "half-close"]
    );
}

#[test]
fn passivation_half_closes_and_late_commands_reactivate() {
    let mut lifecycle = ready();
    assert_eq!(script(&mut lifecycle, [Input::IdleTimeout, command(2)]), ["half-close"]);
    assert_eq!(script(&mut lifecycle, [Input::StreamEnded(None)]), ["open", "load snapshot"]);
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [Input::IdleTimeout, Input::StreamEnded(None)]),
        ["half-close", "stop"]
    );
    let mut lifecycle = ready();
    assert_eq!(
        script(&mut lifecycle, [Input::IdleTimeout, Input::CloseTimedOut]),
        ["half-close", "reset", "stop"]
    );
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
            "load snapshot"
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
    assert_eq!(script(&mut lifecycle, [Input::StreamEnded(None)]), ["stop"]);
}

#[test]
fn an_unreachable_function_is_named() {
    let mut lifecycle = lifecycle();
    let unreachable = Some("not reachable: connection refused".to_owned());
    assert_eq!(
        script(&mut lifecycle, [command(1), Input::TimedOut { token: 1, unreachable }]),
        ["open", "load snapshot", "answer 1: failed not reachable: connection refused", "reset", "stop"]
    );
}

/// What may happen next; the model gives only inputs that the shell could give.
#[derive(Clone, Debug)]
enum Step {
    Command,
    Reply { skew: i64, events: usize },
    Failure { restart: bool, events: usize },
    StreamFailure { skew: i64 },
    Garbage,
    End,
    Store { fails: bool },
    Page { events: usize },
    TimeOut { oldest: bool },
    Idle,
    CloseTimedOut,
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Command),
        6 => (prop_oneof![9 => Just(0i64), 1 => -1..2i64], 0..3usize).prop_map(|(skew, events)| Step::Reply { skew, events }),
        2 => (any::<bool>(), 0..2usize).prop_map(|(restart, events)| Step::Failure { restart, events }),
        1 => (0..2i64).prop_map(|skew| Step::StreamFailure { skew }),
        1 => Just(Step::Garbage),
        2 => Just(Step::End),
        6 => prop_oneof![5 => Just(false), 1 => Just(true)].prop_map(|fails| Step::Store { fails }),
        6 => (0..3usize).prop_map(|events| Step::Page { events }),
        1 => any::<bool>().prop_map(|oldest| Step::TimeOut { oldest }),
        1 => Just(Step::Idle),
        1 => Just(Step::CloseTimedOut),
        1 => Just(Step::Drain),
    ]
}

/// A store, a stream and callers, as far as one entity sees them.
#[derive(Default)]
struct World {
    journal: u64,
    waiting: BTreeSet<Token>,
    answered: BTreeMap<Token, Answer>,
    next_token: Token,
    stream: bool,
    half_closed: bool,
    sent_events: u64,
    last_command_id: i64,
    pending: Option<Pending>,
    draining: bool,
    stopped: bool,
}

#[derive(Clone, Debug)]
enum Pending {
    Snapshot,
    Events { after: u64 },
    Append { expected: u64, events: u64 },
}

impl World {
    fn input(&mut self, step: Step) -> Option<Input> {
        Some(match step {
            Step::Command => {
                self.next_token += 1;
                self.waiting.insert(self.next_token);
                command(self.next_token)
            }
            Step::Reply { skew, events } if self.stream => reply(self.last_command_id + skew, events),
            Step::Failure { restart, events } if self.stream => {
                failure(self.last_command_id, restart, events)
            }
            Step::StreamFailure { skew } if self.stream => out(Out::Failure(WireFailure {
                command_id: self.last_command_id + skew,
                ..WireFailure::default()
            })),
            Step::Garbage if self.stream => Input::FromFunction(EventSourcedStreamOut { message: None }),
            Step::End if self.stream => {
                self.stream = false;
                Input::StreamEnded(None)
            }
            Step::Store { fails } => match self.pending.take()? {
                Pending::Append { .. } if fails => {
                    Input::Stored(Err(Failure::new(Code::Unavailable, "full")))
                }
                Pending::Append { expected, events } => {
                    assert_eq!(expected, self.journal, "every append continues the journal");
                    self.journal += events;
                    Input::Stored(Ok(self.journal))
                }
                _ if fails => Input::LoadFailed("gone".to_owned()),
                Pending::Snapshot => Input::Snapshot(None),
                pending => {
                    self.pending = Some(pending);
                    return None;
                }
            },
            Step::Page { events } => match self.pending.clone()? {
                Pending::Events { after } => {
                    self.pending = None;
                    let last = self.journal.min(after + events.max(1) as u64);
                    let page =
                        (after + 1..=last).map(|sequence| StoredEvent { sequence, payload: message("e") });
                    Input::Events(page.collect())
                }
                _ => return None,
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

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::OpenStream => {
                assert!(!self.stream, "one stream at a time");
                (self.stream, self.half_closed) = (true, false);
                (self.sent_events, self.last_command_id) = (0, 0);
                assert!(
                    !matches!(self.pending, Some(Pending::Append { .. })),
                    "a stored command is settled first"
                );
            }
            Output::LoadSnapshot => self.pending = Some(Pending::Snapshot),
            Output::LoadEvents { after } => self.pending = Some(Pending::Events { after }),
            Output::Append { expected, events, .. } => {
                assert!(self.pending.is_none(), "one request to the store at a time");
                self.pending = Some(Pending::Append { expected, events: events.len() as u64 });
            }
            Output::Send(message) => {
                assert!(self.stream && !self.half_closed, "nothing is sent on a closed stream");
                match message.message.unwrap() {
                    In::Init(_) => {}
                    In::Event(event) => {
                        self.sent_events += 1;
                        assert_eq!(event.sequence as u64, self.sent_events, "history has no gap");
                    }
                    In::Command(command) => {
                        if self.last_command_id == 0 {
                            assert_eq!(self.sent_events, self.journal, "commands follow the whole history");
                        }
                        self.last_command_id += 1;
                        assert_eq!(command.id, self.last_command_id);
                        let token: Token = command.name[1..].parse().unwrap();
                        assert!(self.waiting.contains(&token), "only commands that wait are sent");
                    }
                }
            }
            Output::HalfClose => self.half_closed = true,
            Output::Reset => self.stream = false,
            Output::Answer(token, answer) => {
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
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_command_gets_exactly_one_answer(steps in proptest::collection::vec(step(), 1..80)) {
        let mut lifecycle = Lifecycle::new("Service", "e1", 3);
        let mut world = World::default();
        let mut outputs = Vec::new();
        // After the random part everything comes to rest: the store answers, the function answers or ends.
        let rest = (0..60).flat_map(|_| [
            Step::Store { fails: false }, Step::Page { events: 9 }, Step::Reply { skew: 0, events: 0 },
        ]);
        let end = [Step::Drain, Step::End, Step::Store { fails: false }, Step::End];
        for step in steps.into_iter().chain(rest).chain(end) {
            let Some(input) = world.input(step) else { continue };
            lifecycle.step(input, &mut outputs);
            for output in outputs.drain(..) {
                world.carry_out(output);
            }
        }
        prop_assert!(world.waiting.is_empty(), "left waiting: {:?}", world.waiting);
        prop_assert_eq!(world.answered.len() as u64, world.next_token);
    }
}

#[test]
fn a_timeout_has_its_code() {
    let mut lifecycle = ready();
    let mut outputs = Vec::new();
    lifecycle.step(command(2), &mut outputs);
    outputs.clear();
    lifecycle.step(timed_out(2), &mut outputs);
    let failure = Failure::new(Code::DeadlineExceeded, "the command was not answered in time");
    assert!(outputs.contains(&Output::Answer(2, Answer::Failed(failure))));
}

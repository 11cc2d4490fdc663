//! Random lives of an entity against a model of what must hold: whatever callers, user function, store and time do,
//! every command gets exactly one answer, none before what it changed is stored.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    lifecycle::{Input, Output},
    scripted::{Scripted, Sent, command, failure, lifecycle, reply, stream_failure, timed_out},
};
use crate::{
    entities::{Answer, Token, stream::End},
    error_code::ErrorCode,
    routing::Failure,
    user_function::{EventSourced, Value},
};

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

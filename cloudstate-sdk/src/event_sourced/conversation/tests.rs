//! Random conversations against a simple model of what must come out.

use std::sync::Arc;

use cloudstate_proto::client_action::Action;
use cloudstate_proto::eventsourced::event_sourced_stream_in::Message as In;
use cloudstate_proto::eventsourced::event_sourced_stream_out::Message as Out;
use cloudstate_proto::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedSnapshot, EventSourcedStreamIn, EventSourcedStreamOut,
};
use proptest::prelude::*;

use crate::conversation::{Conversation, Host, Hosts, Step, Terms};
use crate::event_sourced::*;
use crate::payload;
use crate::registration::Create;
use cloudstate::tck::model::request_action::Action as Do;
use cloudstate::tck::model::{
    Emit, Fail, Persisted, Request, RequestAction, Response, event_sourced_tck_model,
};

#[allow(unreachable_pub)]
mod contract {
    include!("../../../tests/contract/generated/cloudstate.rs");
}
use contract::cloudstate;

const SERVICE: &str = "cloudstate.tck.model.EventSourcedTckModel";
const SNAPSHOT_EVERY: i64 = 3;

/// Its state is how many events it has seen.
#[event_sourced_entity(service = event_sourced_tck_model, persistence_id = "counter", snapshot_every = 3)]
#[derive(Default)]
struct Counter {
    events: i64,
}

impl EventSourcedEntity for Counter {
    type Event = Persisted;
    type Error = Failure;

    fn apply(&mut self, event: Persisted) {
        assert_ne!(event.value, "panic");
        self.events += 1;
    }
}

impl event_sourced_tck_model::EventSourced for Counter {
    fn process(&self, request: Request, _: &Context) -> Reply<Self, Response> {
        let mut events = Vec::new();
        for action in request.actions.into_iter().filter_map(|action| action.action) {
            match action {
                Do::Emit(emit) => events.push(Persisted { value: emit.value }),
                Do::Fail(fail) if fail.message == "panic" => panic!("asked to"),
                Do::Fail(fail) => return Err(Failure::new(fail.message)),
                Do::Forward(_) | Do::Effect(_) => {}
            }
        }
        Ok(Effect::persist_all(events).then_reply(|now: &Self| Response { message: now.events.to_string() }))
    }
}

impl Snapshot for Counter {
    type Message = Persisted;

    fn snapshot(&self) -> Persisted {
        Persisted { value: self.events.to_string() }
    }

    fn restore(&mut self, saved: Persisted) {
        self.events = saved.value.parse().unwrap_or_default();
    }
}

/// What a proxy, or something that pretends to be one, may send.
#[derive(Clone, Debug)]
enum Input {
    Nothing,
    Init { known: bool, snapshot: Option<(i64, Payload)> },
    Event { sequence: i64, payload: Payload },
    Command { id: i64, entity: bool, name: bool, payload: Payload, emit: usize, then: Then },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Payload {
    Good,
    Absent,
    Malformed,
    OtherType,
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Reply,
    Fail,
    Panic,
}

fn payloads() -> impl Strategy<Value = Payload> {
    use Payload::{Absent, Good, Malformed, OtherType, Panic};
    prop_oneof![20 => Just(Good), 1 => Just(Absent), 1 => Just(Malformed), 1 => Just(OtherType), 1 => Just(Panic)]
}

fn mostly_true() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.97)
}

fn inits() -> impl Strategy<Value = Input> {
    let snapshot = prop::option::weighted(0.3, (-1i64..20, payloads()));
    (mostly_true(), snapshot).prop_map(|(known, snapshot)| Input::Init { known, snapshot })
}

fn inputs() -> impl Strategy<Value = Input> {
    let then = prop_oneof![8 => Just(Then::Reply), 3 => Just(Then::Fail), 1 => Just(Then::Panic)];
    let command = (any::<i64>(), mostly_true(), mostly_true(), payloads(), 0usize..5, then).prop_map(
        |(id, entity, name, payload, emit, then)| Input::Command { id, entity, name, payload, emit, then },
    );
    let event = (prop_oneof![20 => 1i64..200, 1 => any::<i64>()], payloads())
        .prop_map(|(sequence, payload)| Input::Event { sequence, payload });
    prop_oneof![1 => Just(Input::Nothing), 1 => inits(), 10 => event, 40 => command]
}

fn conversations() -> impl Strategy<Value = Vec<Input>> {
    let first = prop_oneof![30 => inits(), 1 => inputs()];
    (first, prop::collection::vec(inputs(), 0..40)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    })
}

/// What must come out.
#[derive(Debug, PartialEq)]
enum Expected {
    Nothing,
    Reply { id: i64, message: String, events: usize, snapshot: Option<String> },
    Refusal { id: i64 },
    Fault { id: i64 },
}

/// The rules, in the plainest form.
#[derive(Default)]
struct Model {
    started: bool,
    over: bool,
    sequence: i64,
    events: i64,
}

impl Model {
    fn take(&mut self, input: &Input) -> Expected {
        if self.over {
            return Expected::Nothing;
        }
        let expected = if self.started { self.live(input) } else { self.start(input) };
        self.over = matches!(expected, Expected::Fault { .. });
        expected
    }

    fn start(&mut self, input: &Input) -> Expected {
        let fault = Expected::Fault { id: 0 };
        match input {
            Input::Init { known: true, snapshot } => {
                match snapshot {
                    None | Some((_, Payload::Absent)) => {}
                    Some((sequence, Payload::Good | Payload::Panic)) if *sequence >= 0 => {
                        (self.sequence, self.events) = (*sequence, *sequence);
                    }
                    Some(_) => return fault,
                }
                self.started = true;
                Expected::Nothing
            }
            _ => fault,
        }
    }

    fn live(&mut self, input: &Input) -> Expected {
        match *input {
            Input::Nothing | Input::Init { .. } => Expected::Fault { id: 0 },
            Input::Event { sequence, payload: Payload::Good } if sequence > self.sequence => {
                self.sequence = sequence;
                self.events += 1;
                Expected::Nothing
            }
            Input::Event { .. } => Expected::Fault { id: 0 },
            Input::Command { id, entity: false, .. } => Expected::Fault { id },
            Input::Command { id, payload: Payload::Absent, .. } => Expected::Fault { id },
            Input::Command { id, name: false, .. } => Expected::Fault { id },
            Input::Command { id, payload: Payload::Malformed | Payload::OtherType, .. } => {
                Expected::Refusal { id }
            }
            Input::Command { id, then: Then::Panic, .. } => Expected::Fault { id },
            Input::Command { id, then: Then::Fail, .. } => Expected::Refusal { id },
            Input::Command { id, payload: Payload::Panic, emit: 1.., .. } => Expected::Fault { id },
            Input::Command { id, emit, then: Then::Reply, .. } => {
                let before = self.sequence;
                self.sequence = self.sequence.saturating_add(i64::try_from(emit).unwrap());
                self.events += i64::try_from(emit).unwrap();
                let message = self.events.to_string();
                let due = self.sequence / SNAPSHOT_EVERY > before / SNAPSHOT_EVERY;
                Expected::Reply { id, snapshot: due.then(|| message.clone()), message, events: emit }
            }
        }
    }
}

fn to_wire(input: &Input) -> EventSourcedStreamIn {
    let message = match *input {
        Input::Nothing => None,
        Input::Init { known, snapshot } => Some(In::Init(EventSourcedInit {
            service_name: if known { SERVICE } else { "x.Unknown" }.into(),
            entity_id: "id".into(),
            snapshot: snapshot.map(|(sequence, payload)| EventSourcedSnapshot {
                snapshot_sequence: sequence,
                snapshot: any_of(payload, payload::encode(&Persisted { value: sequence.to_string() })),
            }),
        })),
        Input::Event { sequence, payload } => {
            let value = if payload == Payload::Panic { "panic" } else { "x" }.into();
            let payload = any_of(payload, payload::encode(&Persisted { value }));
            Some(In::Event(EventSourcedEvent { sequence, payload }))
        }
        Input::Command { id, entity, name, payload, emit, then } => {
            let value = if payload == Payload::Panic { "panic" } else { "x" };
            let emits = (0..emit).map(|_| Do::Emit(Emit { value: value.into() }));
            let fail = match then {
                Then::Reply => None,
                Then::Fail => Some(Do::Fail(Fail { message: "no".into() })),
                Then::Panic => Some(Do::Fail(Fail { message: "panic".into() })),
            };
            let actions = emits.chain(fail).map(|action| RequestAction { action: Some(action) }).collect();
            Some(In::Command(cloudstate_proto::Command {
                entity_id: if entity { "id" } else { "other" }.into(),
                id,
                name: if name { "Process" } else { "Unknown" }.into(),
                payload: any_of(payload, payload::encode(&Request { id: "id".into(), actions })),
                ..Default::default()
            }))
        }
    };
    EventSourcedStreamIn { message }
}

fn any_of(payload: Payload, good: Any) -> Option<Any> {
    match payload {
        Payload::Good | Payload::Panic => Some(good),
        Payload::Absent => None,
        Payload::Malformed => Some(Any { value: b"\x0a\x7f".as_ref().into(), ..good }),
        Payload::OtherType => Some(Any { type_url: "type.googleapis.com/x.Other".into(), ..good }),
    }
}

fn from_wire(step: Step<EventSourcedStreamOut>) -> Expected {
    match step {
        Step::Silent => Expected::Nothing,
        Step::Answer(EventSourcedStreamOut { message: Some(Out::Reply(reply)) }) => {
            let id = reply.command_id;
            match reply.client_action.unwrap().action.unwrap() {
                Action::Reply(message) => Expected::Reply {
                    id,
                    message: payload::decode::<Response>(&message.payload.unwrap()).unwrap().message,
                    events: reply.events.len(),
                    snapshot: reply.snapshot.map(|any| payload::decode::<Persisted>(&any).unwrap().value),
                },
                Action::Failure(failure) => {
                    assert_eq!((failure.command_id, failure.restart), (id, false));
                    assert!(
                        reply.events.is_empty() && reply.snapshot.is_none() && reply.side_effects.is_empty()
                    );
                    Expected::Refusal { id }
                }
                Action::Forward(forward) => panic!("nobody asked for {forward:?}"),
            }
        }
        Step::End(EventSourcedStreamOut { message: Some(Out::Failure(failure)) }) => {
            assert!(!failure.description.is_empty() && !failure.restart);
            Expected::Fault { id: failure.command_id }
        }
        other => panic!("not an answer of the protocol: {other:?}"),
    }
}

fn conversation() -> Conversation<Kind> {
    let create: Create<Counter> = Arc::new(|_| Counter::default());
    let hosts: Hosts<Kind> = [(SERVICE, Box::new(create) as Box<dyn Host<Kind>>)].into();
    Conversation::new(Arc::new(hosts), Terms { max_reply_size: 12 << 20, status_codes: false })
}

proptest! {
    #[test]
    fn any_conversation_is_answered_by_the_rules(inputs in conversations()) {
        let (mut conversation, mut model) = (conversation(), Model::default());
        for (index, input) in inputs.iter().enumerate() {
            let answer = from_wire(conversation.step(to_wire(input)));
            prop_assert_eq!(answer, model.take(input), "message {} of {:?}", index, inputs);
        }
    }
}

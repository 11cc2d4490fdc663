//! Random conversations against a simple model of what must come out.

use std::sync::Arc;

use cloudstate_proto::client_action::Action;
use cloudstate_proto::valueentity::value_entity_action::Action as Stored;
use cloudstate_proto::valueentity::value_entity_stream_in::Message as In;
use cloudstate_proto::valueentity::value_entity_stream_out::Message as Out;
use cloudstate_proto::valueentity::{
    ValueEntityInit, ValueEntityInitState, ValueEntityStreamIn, ValueEntityStreamOut,
};
use proptest::prelude::*;

use crate::conversation::{Conversation, Host, Hosts, Step, Terms};
use crate::payload;
use crate::registration::Create;
use crate::value::*;
use cloudstate::tck::model::valueentity::request_action::Action as Do;
use cloudstate::tck::model::valueentity::{
    Delete, Fail, Persisted, Request, RequestAction, Response, Update, value_entity_tck_model,
};

#[allow(unreachable_pub)]
mod contract {
    include!("../../../tests/contract/generated/cloudstate.rs");
}
use contract::cloudstate;

const SERVICE: &str = "cloudstate.tck.model.valueentity.ValueEntityTckModel";
const MAX_REPLY_SIZE: usize = 1000;

/// Answers with its text, in brackets; `-` when there is none.
#[value_entity(service = value_entity_tck_model, persistence_id = "texts")]
#[derive(Default)]
struct Text(Option<Persisted>);

impl ValueEntity for Text {
    type Error = Failure;
}

impl value_entity_tck_model::Value for Text {
    fn process(&self, request: Request, _: &Context) -> Reply<Self, Response> {
        let mut change = None;
        for action in request.actions.into_iter().filter_map(|action| action.action) {
            match action {
                Do::Update(update) => change = Some(StateAction::Update(Persisted { value: update.value })),
                Do::Delete(_) => change = Some(StateAction::Delete),
                Do::Fail(fail) if fail.message == "panic" => panic!("asked to"),
                Do::Fail(fail) => return Err(Failure::new(fail.message)),
                Do::Forward(_) | Do::Effect(_) => {}
            }
        }
        Ok(Effect::state_action(change).then_reply(Self::view))
    }
}

impl Text {
    fn view(&self) -> Response {
        let message = match self.0.as_ref().map(|text| text.value.as_str()) {
            None => "-".into(),
            Some("panic") => panic!("asked to"),
            Some("huge") => "x".repeat(MAX_REPLY_SIZE),
            Some(text) => format!("[{text}]"),
        };
        Response { message }
    }
}

/// What a proxy, or something that pretends to be one, may send.
#[derive(Clone, Debug)]
enum Input {
    Nothing,
    Init { known: bool, state: Option<Payload> },
    Command { id: i64, entity: bool, name: bool, payload: Payload, changes: Vec<Change>, then: Then },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Payload {
    Good,
    Absent,
    Malformed,
    OtherType,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Update(&'static str),
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Reply,
    Fail,
    Panic,
}

fn payloads() -> impl Strategy<Value = Payload> {
    use Payload::{Absent, Good, Malformed, OtherType};
    prop_oneof![20 => Just(Good), 1 => Just(Absent), 1 => Just(Malformed), 1 => Just(OtherType)]
}

fn mostly_true() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.97)
}

fn inits() -> impl Strategy<Value = Input> {
    (mostly_true(), prop::option::of(payloads())).prop_map(|(known, state)| Input::Init { known, state })
}

fn changes() -> impl Strategy<Value = Change> {
    let texts =
        prop_oneof![10 => Just("A"), 10 => Just("B"), 2 => Just(""), 3 => Just("huge"), 1 => Just("panic")];
    prop_oneof![3 => texts.prop_map(Change::Update), 1 => Just(Change::Delete)]
}

fn inputs() -> impl Strategy<Value = Input> {
    let then = prop_oneof![10 => Just(Then::Reply), 3 => Just(Then::Fail), 1 => Just(Then::Panic)];
    let changes = prop::collection::vec(changes(), 0..4);
    let command = (any::<i64>(), mostly_true(), mostly_true(), payloads(), changes, then).prop_map(
        |(id, entity, name, payload, changes, then)| Input::Command {
            id,
            entity,
            name,
            payload,
            changes,
            then,
        },
    );
    prop_oneof![1 => Just(Input::Nothing), 1 => inits(), 50 => command]
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
    Reply { id: i64, message: String, change: Option<Option<&'static str>> },
    Refusal { id: i64 },
    Fault { id: i64 },
}

/// The rules, in the plainest form.
#[derive(Default)]
struct Model {
    started: bool,
    over: bool,
    text: Option<&'static str>,
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
        self.text = match input {
            Input::Init { known: true, state: None | Some(Payload::Absent) } => None,
            Input::Init { known: true, state: Some(Payload::Good) } => Some("A"),
            _ => return Expected::Fault { id: 0 },
        };
        self.started = true;
        Expected::Nothing
    }

    fn live(&mut self, input: &Input) -> Expected {
        match *input {
            Input::Nothing | Input::Init { .. } => Expected::Fault { id: 0 },
            Input::Command { id, entity: false, .. } => Expected::Fault { id },
            Input::Command { id, payload: Payload::Absent, .. } => Expected::Fault { id },
            Input::Command { id, name: false, .. } => Expected::Fault { id },
            Input::Command { id, payload: Payload::Malformed | Payload::OtherType, .. } => {
                Expected::Refusal { id }
            }
            Input::Command { id, then: Then::Panic, .. } => Expected::Fault { id },
            Input::Command { id, then: Then::Fail, .. } => Expected::Refusal { id },
            Input::Command { id, ref changes, then: Then::Reply, .. } => {
                let change = changes.last().map(|change| match *change {
                    Change::Update(text) => Some(text),
                    Change::Delete => None,
                });
                match change.unwrap_or(self.text) {
                    Some("panic") => Expected::Fault { id },
                    // Only after a change: such a text never stays.
                    Some("huge") => Expected::Refusal { id },
                    text => {
                        self.text = text;
                        let message = text.map_or("-".into(), |text| format!("[{text}]"));
                        Expected::Reply { id, message, change }
                    }
                }
            }
        }
    }
}

fn to_wire(input: &Input) -> ValueEntityStreamIn {
    let message = match input {
        Input::Nothing => None,
        Input::Init { known, state } => Some(In::Init(ValueEntityInit {
            service_name: if *known { SERVICE } else { "x.Unknown" }.into(),
            entity_id: "id".into(),
            state: state.map(|payload| ValueEntityInitState {
                value: any_of(payload, payload::encode(&Persisted { value: "A".into() })),
            }),
        })),
        Input::Command { id, entity, name, payload, changes, then } => {
            let changes = changes.iter().map(|change| match *change {
                Change::Update(text) => Do::Update(Update { value: text.into() }),
                Change::Delete => Do::Delete(Delete {}),
            });
            let fail = match then {
                Then::Reply => None,
                Then::Fail => Some(Do::Fail(Fail { message: "no".into() })),
                Then::Panic => Some(Do::Fail(Fail { message: "panic".into() })),
            };
            let actions = changes.chain(fail).map(|action| RequestAction { action: Some(action) }).collect();
            Some(In::Command(cloudstate_proto::Command {
                entity_id: if *entity { "id" } else { "other" }.into(),
                id: *id,
                name: if *name { "Process" } else { "Unknown" }.into(),
                payload: any_of(*payload, payload::encode(&Request { id: "id".into(), actions })),
                ..Default::default()
            }))
        }
    };
    ValueEntityStreamIn { message }
}

fn any_of(payload: Payload, good: Any) -> Option<Any> {
    match payload {
        Payload::Good => Some(good),
        Payload::Absent => None,
        Payload::Malformed => Some(Any { value: b"\x0a\x7f".as_ref().into(), ..good }),
        Payload::OtherType => Some(Any { type_url: "type.googleapis.com/x.Other".into(), ..good }),
    }
}

fn from_wire(step: Step<ValueEntityStreamOut>) -> Expected {
    match step {
        Step::Silent => Expected::Nothing,
        Step::Answer(ValueEntityStreamOut { message: Some(Out::Reply(reply)) }) => {
            let id = reply.command_id;
            match reply.client_action.unwrap().action.unwrap() {
                Action::Reply(message) => Expected::Reply {
                    id,
                    message: payload::decode::<Response>(&message.payload.unwrap()).unwrap().message,
                    change: reply.state_action.map(|action| match action.action.unwrap() {
                        Stored::Update(update) => Some(text_of(&update.value.unwrap())),
                        Stored::Delete(_) => None,
                    }),
                },
                Action::Failure(failure) => {
                    assert_eq!((failure.command_id, failure.restart), (id, false));
                    assert!(reply.state_action.is_none() && reply.side_effects.is_empty());
                    Expected::Refusal { id }
                }
                Action::Forward(forward) => panic!("nobody asked for {forward:?}"),
            }
        }
        Step::End(ValueEntityStreamOut { message: Some(Out::Failure(failure)) }) => {
            assert!(!failure.description.is_empty() && !failure.restart);
            Expected::Fault { id: failure.command_id }
        }
        other => panic!("not an answer of the protocol: {other:?}"),
    }
}

fn text_of(stored: &Any) -> &'static str {
    let value = payload::decode::<Persisted>(stored).unwrap().value;
    ["A", "B", ""].into_iter().find(|text| *text == value).unwrap()
}

fn conversation() -> Conversation<Kind> {
    let create: Create<Text> = Arc::new(|_| Text::default());
    let hosts: Hosts<Kind> = [(SERVICE, Box::new(create) as Box<dyn Host<Kind>>)].into();
    Conversation::new(Arc::new(hosts), Terms { max_reply_size: MAX_REPLY_SIZE, status_codes: false })
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

//! Conversations with the services that emit to and read from event logs.

use cloudstate_proto::{
    Any, Forward,
    action::{ActionCommand, ActionResponse, action_response},
    eventsourced::{EventSourcedReply, EventSourcedStreamOut, event_sourced_stream_out},
};

use super::{
    action,
    command::{self, Entity},
    cursor::{Cursor, Problem},
    event_sourced, script,
};
use crate::{
    area::Area,
    model::{
        eventing::{
            EffectRequest, EmitEventRequest, EventOne, EventTwo, Forward as ForwardStep, JsonEvent,
            ProcessStep, Reply, Response, emit_event_request::Event, process_step::Step as StepOf,
        },
        pack,
    },
    protocol::{Action, ActionCall, EventSourced},
    scenario::{Expected, Step},
};

const SUBSCRIBER: &str = "EventLogSubscriberModel";
const JSON: &str = "json.cloudstate.io/";

/// Calls of `EventLogSubscriberModel`.
pub(super) struct Subscriber;

impl script::Notation for Subscriber {
    type Protocol = Action;

    /// `ProcessEventOne one[reply m] with "ce-subject" = "i"`, and so on for the other commands.
    fn send(&self, line: &mut Cursor<'_>) -> Result<Step<Action>, Problem> {
        let name = line.word()?.to_owned();
        let payload = if line.eat("id") {
            let id = line.text()?.to_owned();
            line.need(",")?;
            pack(&EffectRequest { id, message: line.text()?.to_owned() })
        } else {
            event(line)?
        };
        let call = if name == "ProcessEventTwo" { ActionCall::StreamedOut } else { ActionCall::Unary };
        Ok(Step::Open(call(ActionCommand {
            service_name: Area::Eventing.service(SUBSCRIBER),
            name,
            payload: Some(payload),
            metadata: action::metadata(line)?,
        })))
    }

    /// `reply "id", "message"` or `forward "id", "message"`.
    fn expect(&self, line: &mut Cursor<'_>) -> Result<Expected<ActionResponse>, Problem> {
        let mut expected = action::response(line, |line| {
            let forward = line.eat("forward");
            if !forward {
                line.need("reply")?;
            }
            let id = line.text()?.to_owned();
            line.need(",")?;
            let message = line.text()?.to_owned();
            if !forward {
                return Ok(action::reply(&Response { id, message }));
            }
            Ok(action_response::Response::Forward(Forward {
                service_name: Area::Eventing.service(SUBSCRIBER),
                command_name: "Effect".to_owned(),
                payload: Some(pack(&EffectRequest { id, message })),
                metadata: None,
            }))
        })?;
        expected.forgive = forgive_metadata;
        Ok(expected)
    }
}

/// A library may pass on what it was told about an event.
fn forgive_metadata(response: &mut ActionResponse) {
    match &mut response.response {
        Some(action_response::Response::Reply(reply)) => reply.metadata = None,
        Some(action_response::Response::Forward(forward)) => forward.metadata = None,
        Some(action_response::Response::Failure(_)) | None => {}
    }
}

/// Conversations with one of the entities that emit.
pub(super) struct Emitter {
    entity: Entity,
}

impl Emitter {
    pub(super) fn new(service: String, id: String) -> Self {
        Self { entity: Entity { service, id } }
    }

    /// `one[..]`, `two[..]`: to emit that; `json "m"`: to emit that message as JSON.
    pub(super) fn request(&self, line: &mut Cursor<'_>) -> Result<Any, Problem> {
        let id = self.entity.id.clone();
        if line.eat("json") {
            return Ok(pack(&JsonEvent { id, message: line.text()?.to_owned() }));
        }
        let event = if line.starts_with("one") {
            Event::EventOne(event_one(line)?)
        } else {
            Event::EventTwo(event_two(line)?)
        };
        Ok(pack(&EmitEventRequest { id, event: Some(event) }))
    }
}

impl script::Notation for Emitter {
    type Protocol = EventSourced;

    fn send(&self, line: &mut Cursor<'_>) -> Result<Step<EventSourced>, Problem> {
        event_sourced::send(&self.entity, line, event, |line| self.request(line))
    }

    /// `1 empty; events[..]`
    fn expect(&self, line: &mut Cursor<'_>) -> Result<Expected<EventSourcedStreamOut>, Problem> {
        let command_id = line.number()?;
        line.need("empty")?;
        let empty = Any {
            type_url: "type.googleapis.com/google.protobuf.Empty".to_owned(),
            value: Default::default(),
        };
        let mut reply = EventSourcedReply {
            command_id,
            client_action: Some(command::reply(empty)),
            ..EventSourcedReply::default()
        };
        if line.eat("; events") {
            reply.events = line.list(["[", "]"], event)?;
        }
        Ok(event_sourced::expected(reply, forgive_json_types))
    }
}

/// `one[reply m]`, `two[reply m, forward n]`, `json "m"`
pub(super) fn event(line: &mut Cursor<'_>) -> Result<Any, Problem> {
    if line.eat("json") {
        let json = format!("{{\"message\":\"{}\"}}", line.text()?);
        let value = prost::Message::encode_to_vec(&json).into();
        return Ok(Any { type_url: format!("{JSON}JsonEvent"), value });
    }
    if line.starts_with("one") { Ok(pack(&event_one(line)?)) } else { Ok(pack(&event_two(line)?)) }
}

fn event_one(line: &mut Cursor<'_>) -> Result<EventOne, Problem> {
    line.need("one")?;
    line.need("[")?;
    let step = Some(step(line)?);
    line.need("]")?;
    Ok(EventOne { step })
}

fn event_two(line: &mut Cursor<'_>) -> Result<EventTwo, Problem> {
    line.need("two")?;
    Ok(EventTwo { step: line.list(["[", "]"], step)? })
}

fn step(line: &mut Cursor<'_>) -> Result<ProcessStep, Problem> {
    let step = if line.eat("forward") {
        StepOf::Forward(ForwardStep { message: line.text()?.to_owned() })
    } else {
        line.need("reply")?;
        StepOf::Reply(Reply { message: line.text()?.to_owned() })
    };
    Ok(ProcessStep { step: Some(step) })
}

/// What a language calls the type of a JSON event is its own affair.
fn forgive_json_types(message: &mut EventSourcedStreamOut) {
    if let Some(event_sourced_stream_out::Message::Reply(reply)) = &mut message.message {
        for event in reply.events.iter_mut().filter(|event| event.type_url.starts_with(JSON)) {
            event.type_url = JSON.to_owned();
        }
    }
}

use cloudstate_proto::{
    Any,
    eventsourced::{
        EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot, EventSourcedStreamIn,
        EventSourcedStreamOut, event_sourced_stream_in, event_sourced_stream_out,
    },
};

use super::{
    command::{self, Entity, Target},
    cursor::{Cursor, Problem},
    script,
};
use crate::{
    area::Area,
    model::{
        event_sourced::{
            Effect, Emit, Fail, Forward, Persisted, Request, RequestAction, Response, request_action,
        },
        pack,
    },
    protocol::EventSourced,
    scenario::{Expected, Step},
};

/// Conversations with `EventSourcedTckModel`.
pub(super) struct Notation {
    entity: Entity,
    target: Target,
}

impl Notation {
    pub(super) fn new(service: String, id: String) -> Self {
        Self {
            entity: Entity { service, id },
            target: Target {
                service: Area::EventSourced.service("EventSourcedTwo"),
                request: |id| pack(&Request { id, actions: vec![] }),
            },
        }
    }

    pub(super) fn request(&self, line: &mut Cursor<'_>) -> Result<Any, Problem> {
        let actions = line.list(["[", "]"], |line| self.request_action(line))?;
        Ok(pack(&Request { id: self.entity.id.clone(), actions }))
    }

    fn request_action(&self, line: &mut Cursor<'_>) -> Result<RequestAction, Problem> {
        use request_action::Action;
        let action = if line.eat("emit") {
            Action::Emit(Emit { value: line.text()?.to_owned() })
        } else if line.eat("fwd") {
            Action::Forward(Forward { id: self.entity.resolve(line)? })
        } else if line.eat("fx!") {
            Action::Effect(Effect { id: self.entity.resolve(line)?, synchronous: true })
        } else if line.eat("fx") {
            Action::Effect(Effect { id: self.entity.resolve(line)?, synchronous: false })
        } else {
            line.need("fail")?;
            Action::Fail(Fail { message: line.text()?.to_owned() })
        };
        Ok(RequestAction { action: Some(action) })
    }
}

impl script::Notation for Notation {
    type Protocol = EventSourced;

    fn send(&self, line: &mut Cursor<'_>) -> Result<Step<EventSourced>, Problem> {
        send(&self.entity, line, persisted, |line| self.request(line))
    }

    fn expect(&self, line: &mut Cursor<'_>) -> Result<Expected<EventSourcedStreamOut>, Problem> {
        if line.eat("failure") {
            return Ok(stream_failure());
        }
        let command_id = line.number()?;
        let client_action = self.target.client_action(line, &self.entity, command_id, response)?;
        let mut reply = EventSourcedReply { command_id, client_action, ..EventSourcedReply::default() };
        while line.eat(";") {
            if line.eat("events") {
                reply.events = line.list(["[", "]"], persisted)?;
            } else if line.eat("snapshot") {
                reply.snapshot = Some(persisted(line)?);
            } else {
                line.need("fx")?;
                reply.side_effects = self.target.side_effects(line, |line| self.entity.resolve(line))?;
            }
        }
        let forgive = if line.eat("...") { only_client_action } else { nothing };
        Ok(expected(reply, forgive))
    }
}

/// `init`, `event(6, "x")` and commands, of any event sourced entity.
pub(super) fn send(
    entity: &Entity,
    line: &mut Cursor<'_>,
    event: impl Fn(&mut Cursor<'_>) -> Result<Any, Problem>,
    request: impl FnOnce(&mut Cursor<'_>) -> Result<Any, Problem>,
) -> Result<Step<EventSourced>, Problem> {
    use event_sourced_stream_in::Message;
    let message = if line.eat("init") {
        let service_name = entity.service_of_init(line)?;
        let snapshot = if line.eat("snapshot") {
            let (snapshot_sequence, snapshot) = numbered(line, &event)?;
            Some(EventSourcedSnapshot { snapshot_sequence, snapshot: Some(snapshot) })
        } else {
            None
        };
        Message::Init(EventSourcedInit { service_name, entity_id: entity.id.clone(), snapshot })
    } else if line.eat("event") {
        let (sequence, payload) = numbered(line, &event)?;
        Message::Event(EventSourcedEvent { sequence, payload: Some(payload) })
    } else {
        Message::Command(entity.command(line, request)?)
    };
    Ok(Step::Send(EventSourcedStreamIn { message: Some(message) }))
}

/// `(6, "x")`
fn numbered(
    line: &mut Cursor<'_>,
    payload: &impl Fn(&mut Cursor<'_>) -> Result<Any, Problem>,
) -> Result<(i64, Any), Problem> {
    line.need("(")?;
    let sequence = line.number()?;
    line.need(",")?;
    let payload = payload(line)?;
    line.need(")")?;
    Ok((sequence, payload))
}

/// `"x"`; `none`: no reply at all.
pub(super) fn response(line: &mut Cursor<'_>) -> Result<Option<Any>, Problem> {
    if line.eat("none") {
        return Ok(None);
    }
    Ok(Some(pack(&Response { message: line.text()?.to_owned() })))
}

fn persisted(line: &mut Cursor<'_>) -> Result<Any, Problem> {
    Ok(pack(&Persisted { value: line.text()?.to_owned() }))
}

pub(super) fn expected(
    reply: EventSourcedReply,
    forgive: fn(&mut EventSourcedStreamOut),
) -> Expected<EventSourcedStreamOut> {
    let message = EventSourcedStreamOut { message: Some(event_sourced_stream_out::Message::Reply(reply)) };
    Expected { text: String::new(), message, forgive }
}

/// `failure`: of the stream, whatever its words.
pub(super) fn stream_failure() -> Expected<EventSourcedStreamOut> {
    let failure = event_sourced_stream_out::Message::Failure(command::any_failure());
    Expected {
        text: String::new(),
        message: EventSourcedStreamOut { message: Some(failure) },
        forgive: |message| {
            if let Some(event_sourced_stream_out::Message::Failure(failure)) = &mut message.message {
                command::forgive_words(failure);
            }
        },
    }
}

pub(super) fn nothing(_: &mut EventSourcedStreamOut) {}

/// `...`: whatever else the reply says.
fn only_client_action(message: &mut EventSourcedStreamOut) {
    if let Some(event_sourced_stream_out::Message::Reply(reply)) = &mut message.message {
        reply.events.clear();
        reply.snapshot = None;
        reply.side_effects.clear();
        // The original does not look at the id of the reply here, only at that of the failure.
        reply.command_id = 0;
    }
}

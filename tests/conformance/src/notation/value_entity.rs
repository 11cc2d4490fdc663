use cloudstate_proto::{
    Any,
    valueentity::{
        ValueEntityAction, ValueEntityDelete, ValueEntityInit, ValueEntityInitState, ValueEntityReply,
        ValueEntityStreamIn, ValueEntityStreamOut, ValueEntityUpdate, value_entity_action,
        value_entity_stream_in, value_entity_stream_out,
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
        pack,
        value_entity::{
            Delete, Effect, Fail, Forward, Persisted, Request, RequestAction, Response, Update,
            request_action,
        },
    },
    protocol::ValueEntity,
    scenario::{Expected, Step},
};

/// Conversations with `ValueEntityTckModel`.
pub(super) struct Notation {
    entity: Entity,
    target: Target,
}

impl Notation {
    pub(super) fn new(service: String, id: String) -> Self {
        Self {
            entity: Entity { service, id },
            target: Target {
                service: Area::ValueEntity.service("ValueEntityTwo"),
                request: |id| pack(&Request { id, actions: vec![] }),
            },
        }
    }

    fn init(&self, line: &mut Cursor<'_>) -> Result<ValueEntityInit, Problem> {
        let service_name = self.entity.service_of_init(line)?;
        let state = if line.eat("without state") {
            None
        } else {
            let value = if line.eat("state") { Some(persisted(line)?) } else { None };
            Some(ValueEntityInitState { value })
        };
        Ok(ValueEntityInit { service_name, entity_id: self.entity.id.clone(), state })
    }

    pub(super) fn request(&self, line: &mut Cursor<'_>) -> Result<Any, Problem> {
        let actions = line.list(["[", "]"], |line| self.request_action(line))?;
        Ok(pack(&Request { id: self.entity.id.clone(), actions }))
    }

    fn request_action(&self, line: &mut Cursor<'_>) -> Result<RequestAction, Problem> {
        use request_action::Action;
        let action = if line.eat("update") {
            Action::Update(Update { value: line.text()?.to_owned() })
        } else if line.eat("delete") {
            Action::Delete(Delete {})
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
    type Protocol = ValueEntity;

    fn send(&self, line: &mut Cursor<'_>) -> Result<Step<ValueEntity>, Problem> {
        use value_entity_stream_in::Message;
        let message = if line.eat("init") {
            Message::Init(self.init(line)?)
        } else {
            Message::Command(self.entity.command(line, |line| self.request(line))?)
        };
        Ok(Step::Send(ValueEntityStreamIn { message: Some(message) }))
    }

    fn expect(&self, line: &mut Cursor<'_>) -> Result<Expected<ValueEntityStreamOut>, Problem> {
        if line.eat("failure") {
            return Ok(stream_failure());
        }
        let command_id = line.number()?;
        let client_action = self.target.client_action(line, &self.entity, command_id, response)?;
        let mut reply = ValueEntityReply { command_id, client_action, ..ValueEntityReply::default() };
        while line.eat(";") {
            if line.eat("update") {
                let value = if line.eat("without value") { None } else { Some(persisted(line)?) };
                let update = ValueEntityUpdate { value };
                reply.state_action = Some(action(value_entity_action::Action::Update(update)));
            } else if line.eat("no action") {
                reply.state_action = Some(ValueEntityAction { action: None });
            } else if line.eat("delete") {
                let delete = ValueEntityDelete {};
                reply.state_action = Some(action(value_entity_action::Action::Delete(delete)));
            } else {
                line.need("fx")?;
                reply.side_effects = self.target.side_effects(line, |line| self.entity.resolve(line))?;
            }
        }
        let message = ValueEntityStreamOut { message: Some(value_entity_stream_out::Message::Reply(reply)) };
        Ok(Expected { text: String::new(), message, forgive: |_| {} })
    }
}

/// `"x"`; `none`: no reply at all.
pub(super) fn response(line: &mut Cursor<'_>) -> Result<Option<Any>, Problem> {
    if line.eat("none") {
        return Ok(None);
    }
    Ok(Some(pack(&Response { message: line.text()?.to_owned() })))
}

fn action(action: value_entity_action::Action) -> ValueEntityAction {
    ValueEntityAction { action: Some(action) }
}

fn persisted(line: &mut Cursor<'_>) -> Result<Any, Problem> {
    Ok(pack(&Persisted { value: line.text()?.to_owned() }))
}

/// `failure`: of the stream, whatever its words.
fn stream_failure() -> Expected<ValueEntityStreamOut> {
    let failure = value_entity_stream_out::Message::Failure(command::any_failure());
    Expected {
        text: String::new(),
        message: ValueEntityStreamOut { message: Some(failure) },
        forgive: |message| {
            if let Some(value_entity_stream_out::Message::Failure(failure)) = &mut message.message {
                command::forgive_words(failure);
            }
        },
    }
}

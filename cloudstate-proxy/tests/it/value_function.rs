//! The value entities of a scripted user function, and words for what they say.

pub(crate) use cloudstate_proto::valueentity::{
    value_entity_stream_in::Message as In, value_entity_stream_out::Message as Out,
};
use cloudstate_proto::{
    Any, ClientAction, Command, Entity, EntitySpec,
    client_action::Action,
    entity_type,
    valueentity::{
        ValueEntityAction, ValueEntityDelete, ValueEntityInit, ValueEntityReply, ValueEntityStreamIn,
        ValueEntityStreamOut, ValueEntityUpdate, value_entity_action::Action as StateAction,
        value_entity_server::ValueEntity,
    },
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    contract,
    entity_stream::{Entities, EntityStream, Part, Protocol, Responses},
};

/// Two services of value entities.
pub(crate) fn spec() -> EntitySpec {
    let mut spec = contract::spec();
    spec.entities = spec.entities.into_iter().map(value).collect();
    spec
}

fn value(entity: Entity) -> Entity {
    Entity { entity_type: entity_type::VALUE_ENTITY.to_owned(), ..entity }
}

pub(crate) struct ValueProtocol;

/// One value entity's stream.
pub(crate) type ValueStream = EntityStream<ValueProtocol>;

impl Protocol for ValueProtocol {
    type In = ValueEntityStreamIn;
    type Received = In;
    type Init = ValueEntityInit;
    type Out = ValueEntityStreamOut;
    type Said = Out;

    fn open(message: ValueEntityStreamIn) -> Option<In> {
        message.message
    }

    fn part(received: In) -> Part<ValueEntityInit, In> {
        match received {
            In::Init(init) => Part::Init(init),
            In::Command(command) => Part::Command(command),
        }
    }

    fn wrap(said: Out) -> ValueEntityStreamOut {
        ValueEntityStreamOut { message: Some(said) }
    }
}

#[tonic::async_trait]
impl ValueEntity for Entities<ValueProtocol> {
    type handleStream = Responses<ValueEntityStreamOut>;

    async fn handle(
        &self,
        request: Request<Streaming<ValueEntityStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        Ok(self.opened(request))
    }
}

impl ValueStream {
    /// Answers the next command with this text and change.
    pub(crate) async fn answer(&mut self, text: &str, state_action: Option<ValueEntityAction>) -> Command {
        let command = self.command().await;
        self.send(Out::Reply(reply(command.id, text, state_action)));
        command
    }
}

/// A reply of the type `test.Reply`.
pub(crate) fn reply(
    command_id: i64,
    text: &str,
    state_action: Option<ValueEntityAction>,
) -> ValueEntityReply {
    acting(command_id, contract::replying(text), state_action)
}

/// A reply that does `action`.
pub(crate) fn acting(
    command_id: i64,
    action: Action,
    state_action: Option<ValueEntityAction>,
) -> ValueEntityReply {
    let client_action = Some(ClientAction { action: Some(action) });
    ValueEntityReply { command_id, client_action, state_action, ..ValueEntityReply::default() }
}

pub(crate) fn updated(value: Any) -> Option<ValueEntityAction> {
    updated_to(Some(value))
}

pub(crate) fn updated_to(value: Option<Any>) -> Option<ValueEntityAction> {
    Some(ValueEntityAction { action: Some(StateAction::Update(ValueEntityUpdate { value })) })
}

pub(crate) fn deleted() -> Option<ValueEntityAction> {
    Some(ValueEntityAction { action: Some(StateAction::Delete(ValueEntityDelete {})) })
}

//! The value entities of a scripted user function, and words for what they say.

use std::pin::Pin;

pub(crate) use cloudstate_proto::valueentity::{
    value_entity_stream_in::Message as In, value_entity_stream_out::Message as Out,
};
use cloudstate_proto::{
    Any, ClientAction, Command, Entity, EntitySpec, Reply as WireReply,
    client_action::Action,
    entity_type,
    valueentity::{
        ValueEntityAction, ValueEntityDelete, ValueEntityInit, ValueEntityReply, ValueEntityStreamIn,
        ValueEntityStreamOut, ValueEntityUpdate, value_entity_action::Action as StateAction,
        value_entity_server::ValueEntity,
    },
};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    contract::{self, Reply, any},
    user_function::soon,
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

/// One value entity's stream, as the user function holds it. Dropped, it is ended with OK.
pub(crate) struct ValueStream {
    inbound: Streaming<ValueEntityStreamIn>,
    outbound: mpsc::UnboundedSender<Result<ValueEntityStreamOut, Status>>,
}

impl ValueStream {
    /// The next message; none when the proxy half-closed.
    pub(crate) async fn next(&mut self) -> Option<In> {
        let message = soon("a message", self.inbound.next()).await?;
        Some(message.expect("the stream is intact").message.expect("a known message"))
    }

    pub(crate) async fn init(&mut self) -> ValueEntityInit {
        match self.next().await {
            Some(In::Init(init)) => init,
            other => panic!("init expected, got {other:?}"),
        }
    }

    pub(crate) async fn command(&mut self) -> Command {
        match self.next().await {
            Some(In::Command(command)) => command,
            other => panic!("command expected, got {other:?}"),
        }
    }

    /// The proxy half-closes, having sent nothing more.
    pub(crate) async fn half_closed(&mut self) {
        assert_eq!(self.next().await, None);
        assert!(!self.outbound.is_closed(), "the proxy gave the stream up instead");
    }

    pub(crate) fn send(&self, message: Option<Out>) {
        // The proxy may have given up the stream.
        let _ = self.outbound.send(Ok(ValueEntityStreamOut { message }));
    }

    /// Ends it with an error.
    pub(crate) fn fail(self, status: Status) {
        let _ = self.outbound.send(Err(status));
    }

    /// Answers the next command with this text and change.
    pub(crate) async fn answer(&mut self, text: &str, state_action: Option<ValueEntityAction>) -> Command {
        let command = self.command().await;
        self.send(Some(Out::Reply(reply(command.id, text, state_action))));
        command
    }
}

/// A reply of the type `test.Reply`.
pub(crate) fn reply(
    command_id: i64,
    text: &str,
    state_action: Option<ValueEntityAction>,
) -> ValueEntityReply {
    let payload = Some(any("Reply", &Reply { text: text.to_owned() }));
    let action = Action::Reply(WireReply { payload, metadata: None });
    acting(command_id, action, state_action)
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

/// Takes what the proxy opens.
pub(crate) struct ValueEntities(pub(crate) mpsc::UnboundedSender<ValueStream>);

#[tonic::async_trait]
impl ValueEntity for ValueEntities {
    type handleStream = Pin<Box<UnboundedReceiverStream<Result<ValueEntityStreamOut, Status>>>>;

    async fn handle(
        &self,
        request: Request<Streaming<ValueEntityStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        let (outbound, replies) = mpsc::unbounded_channel();
        let _ = self.0.send(ValueStream { inbound: request.into_inner(), outbound });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(replies))))
    }
}

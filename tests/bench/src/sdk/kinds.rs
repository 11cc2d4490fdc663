//! The kinds of entity and of call. Each file has all that is said of one: the messages that the client sends and
//! looks for, the bare service, and the entity or action of the SDK.

pub(crate) mod action;
pub(crate) mod crdt;
pub(crate) mod event_sourced;
pub(crate) mod value;

use std::fmt;

use bytes::Bytes;
use cloudstate_proto::{Any, ClientAction, Command, Reply, client_action};
use prost::{Message, Name};

use crate::sdk::contract::{By, Total};

/// What is said on a stream: an opening, then commands, each with its answer. Implemented by what the SDK serves.
pub(crate) trait Conversation: 'static {
    /// Of the rpc.
    const PATH: &'static str;
    type In: Message + Default + 'static;
    type Out: Message + Default + 'static;
    /// `Out`, with all that the client does not look at left encoded.
    type Seen: Message + Default + fmt::Debug + 'static;

    fn opening(id: &str) -> Self::In;
    fn command(id: &str, number: i64, payload: Any) -> Self::In;
    /// The answer of the bare service, made in advance as far as possible; none to an opening.
    fn canned_answer(message: &Self::In) -> Option<Self::Out>;
    /// Whether this is the right answer to the command with this number.
    fn is_answer(seen: &Self::Seen, number: i64) -> bool;
}

/// What the messages out of all kinds of entity have in common.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SeenOfEntity {
    #[prost(message, optional, tag = "1")]
    reply: Option<SeenReply>,
}

#[derive(Clone, PartialEq, Message)]
struct SeenReply {
    #[prost(int64, tag = "1")]
    command_id: i64,
    #[prost(bytes = "bytes", tag = "2")]
    client_action: Bytes,
    /// The events, or the state action of a value entity.
    #[prost(bytes = "bytes", repeated, tag = "4")]
    changes: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "5")]
    crdt_state_action: Bytes,
}

impl SeenOfEntity {
    /// Whether it is a reply with one change.
    fn is_answer(&self, number: i64) -> bool {
        self.reply.as_ref().is_some_and(|reply| {
            let changes = reply.changes.len() + usize::from(!reply.crdt_state_action.is_empty());
            reply.command_id == number && !reply.client_action.is_empty() && changes == 1
        })
    }
}

/// What each command and request carries.
pub(crate) fn payload(id: &str) -> Any {
    any(&By { id: id.to_owned(), amount: 1 })
}

fn entity_command(id: &str, number: i64, payload: Any) -> Command {
    Command {
        entity_id: id.to_owned(),
        id: number,
        name: "Increase".to_owned(),
        payload: Some(payload),
        ..Command::default()
    }
}

fn canned_reply() -> Reply {
    Reply { payload: Some(any(&Total { value: 1 })), ..Reply::default() }
}

fn canned_action() -> Option<ClientAction> {
    Some(ClientAction { action: Some(client_action::Action::Reply(canned_reply())) })
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec().into() }
}

#[cfg(test)]
mod tests;

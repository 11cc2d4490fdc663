//! The callers of streamed commands.

use std::any::type_name;

use cloudstate_proto as proto;
use cloudstate_proto::client_action::Action;
use cloudstate_proto::crdt::{CrdtStreamedMessage, crdt_stream_out::Message};
use prost::Message as _;

use super::streamed::{Callbacks, OnCancel, RawMessage};
use crate::Failure;
use crate::command::SideEffect;
use crate::conversation::{Terms, answer};
use crate::fault::contain;

/// More would rather be a mistake: each is a client that waits on one entity.
const MOST: usize = 1 << 16;

/// Those who follow an entity, in the order in which they came.
pub(super) struct Followers<E> {
    followers: Vec<Follower<E>>,
    terms: Terms,
}

struct Follower<E> {
    /// The command that began it.
    id: i64,
    callbacks: Callbacks<E>,
}

impl<E> Followers<E> {
    pub(super) fn new(terms: Terms) -> Self {
        Self { followers: Vec::new(), terms }
    }

    pub(super) fn check_room(&self) -> Result<(), Failure> {
        if self.followers.len() < MOST {
            return Ok(());
        }
        Err(Failure::resource_exhausted(format!("{MOST} callers follow this entity already")))
    }

    pub(super) fn add(&mut self, id: i64, callbacks: Callbacks<E>) {
        self.followers.push(Follower { id, callbacks });
    }

    /// What to do when the caller goes away.
    pub(super) fn remove(&mut self, id: i64) -> Option<OnCancel<E>> {
        let index = self.followers.iter().position(|follower| follower.id == id)?;
        self.followers.remove(index).callbacks.on_cancel
    }

    /// Tells each that the entity has changed.
    pub(super) fn tell(&mut self, entity: &E, out: &mut Vec<Message>) {
        let terms = self.terms;
        self.followers.retain_mut(|follower| {
            let Some(message) = follower.message(entity, terms) else { return true };
            let goes_on = !message.end_stream;
            out.push(Message::StreamedMessage(message));
            goes_on
        });
    }

    /// Ends all streams: the proxy does not, when the entity is deleted.
    pub(super) fn dismiss(&mut self, out: &mut Vec<Message>) {
        out.extend(self.followers.drain(..).map(|follower| Self::end_of(follower.id)));
    }

    /// Ends a stream without a word.
    pub(super) fn end_of(command_id: i64) -> Message {
        Message::StreamedMessage(CrdtStreamedMessage { command_id, end_stream: true, ..Default::default() })
    }
}

impl<E> Follower<E> {
    /// `None` when there is nothing to say. A callback that panics concerns its own caller alone: it cannot have
    /// changed the entity.
    fn message(&mut self, entity: &E, terms: Terms) -> Option<CrdtStreamedMessage> {
        let on_change = self.callbacks.on_change.as_mut()?;
        let raw = match contain(self.id, "following the entity", || on_change(entity)) {
            Ok(raw) => raw,
            Err(fault) => {
                fault.log();
                RawMessage::failure(Failure::internal(fault.description()))
            }
        };
        if raw.answer.is_none() && raw.side_effects.is_empty() && !raw.end {
            return None;
        }
        let message = self.encode(raw, terms);
        let (size, limit) = (message.encoded_len(), terms.max_reply_size);
        if size <= limit {
            return Some(message);
        }
        tracing::error!("{}: a streamed message of {size} bytes is more than {limit}", type_name::<E>());
        let text = "the message would be larger than a proxy accepts";
        Some(self.encode(RawMessage::failure(Failure::resource_exhausted(text)), terms))
    }

    fn encode(&self, raw: RawMessage, terms: Terms) -> CrdtStreamedMessage {
        let action = raw.answer.map(|answer| {
            answer.unwrap_or_else(|failure| {
                Action::Failure(proto::Failure {
                    command_id: self.id,
                    description: failure.message,
                    restart: false,
                    grpc_status_code: terms.status_code(failure.code),
                })
            })
        });
        CrdtStreamedMessage {
            command_id: self.id,
            client_action: action.and_then(answer),
            side_effects: raw.side_effects.into_iter().map(SideEffect::into_proto).collect(),
            end_stream: raw.end,
        }
    }
}

//! One live entity: a pure state machine. Messages in, messages or a fault out; no I/O and no clock.

use cloudstate_proto as proto;
use cloudstate_proto::crdt::{
    CrdtDelete, CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse,
    crdt_state_action, crdt_stream_in, crdt_stream_out::Message,
};

use super::followers::Followers;
use super::streamed::RawReply;
use super::{Crdt, CrdtEntity, Delta, Handler, WriteConsistency};
use crate::command::dispatch::RawAnswer;
use crate::command::reply::Change;
use crate::command::{CommandError, Context, SideEffect};
use crate::conversation::{Exchange, Terms, answer};
use crate::fault::{Fault, contain};
use crate::{Any, Failure};

/// An entity, those who follow it, and what was agreed with its proxy.
pub(crate) struct Instance<E> {
    entity: E,
    stage: Stage,
    followers: Followers<E>,
    exchange: Exchange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The CRDT is as the user created it. Changes from elsewhere take its place: there is one already.
    New,
    Live,
    Deleted,
}

impl<E: CrdtEntity + Handler> Instance<E> {
    /// Creates the entity, with the CRDT that the proxy has if there is one.
    pub(crate) fn start(init: CrdtInit, create: &dyn Fn(&Context) -> E, terms: Terms) -> Result<Self, Fault> {
        let exchange = Exchange::new(init.entity_id, terms)?;
        let entity = exchange.create(create)?;
        let mut instance = Self { entity, stage: Stage::New, followers: Followers::new(terms), exchange };
        // A state that names no type is none.
        if let Some(state) = init.delta.filter(|state| state.delta.is_some()) {
            instance.apply(state).map_err(|fault| fault.about::<E>(instance.exchange.context()))?;
        }
        Ok(instance)
    }

    /// Takes what follows `init`. A command gives exactly one reply or a fault, a cancellation one response or a fault;
    /// what followers get comes after it. After a fault the instance must be dropped, and nothing of `out` be sent.
    pub(crate) fn step(
        &mut self,
        message: Option<crdt_stream_in::Message>,
        out: &mut Vec<Message>,
    ) -> Result<(), Fault> {
        use crdt_stream_in::Message as In;
        self.exchange.idle();
        let outcome = match message {
            Some(In::Command(command)) => self.handle(command, out),
            Some(In::StreamCancelled(cancelled)) => self.cancel(&cancelled, out),
            Some(In::Delta(delta)) => self.replicate(delta, out),
            Some(In::Delete(_)) => {
                self.delete(out);
                Ok(())
            }
            Some(In::Init(_)) => Err(Fault::protocol(0, "a second init on one stream")),
            None => Err(Fault::protocol(0, "a message that says nothing")),
        };
        outcome.map_err(|fault| fault.about::<E>(self.exchange.context()))
    }

    pub(crate) fn entity(&self) -> &E {
        &self.entity
    }

    pub(crate) fn into_entity(self) -> E {
        self.entity
    }

    fn handle(&mut self, command: proto::Command, out: &mut Vec<Message>) -> Result<(), Fault> {
        let (id, streamed) = (command.id, command.streamed);
        let payload = self.exchange.begin(command, 0)?;
        let _span = self.exchange.span().entered();
        let outcome = match self.stage {
            Stage::New | Stage::Live => contain(id, "handling the command", || self.run(&payload, streamed))?,
            // Sent before the proxy knew.
            Stage::Deleted => Err(CommandError::Failure(Failure::not_found("the entity was deleted"))),
        };
        match outcome {
            Ok(accepted) => {
                self.accept(id, accepted, out);
                Ok(())
            }
            Err(CommandError::Failure(failure)) => {
                self.entity.root().roll_back();
                let client_action = self.exchange.refuse::<E>(failure, false);
                out.push(Message::Reply(CrdtReply { command_id: id, client_action, ..Default::default() }));
                Ok(())
            }
            Err(CommandError::Unknown { service, command }) => {
                Err(self.exchange.unknown_command(service, &command))
            }
        }
    }

    /// Whatever can refuse comes in here: afterwards the change stands.
    fn run(&mut self, payload: &Any, streamed: bool) -> Result<Accepted<E>, CommandError> {
        self.stage = Stage::Live;
        let context = self.exchange.context();
        let RawReply { effect, silent, callbacks } =
            self.entity.handle(context.command_name(), payload, context)?;
        let effect = effect.traced(self.exchange.trace());
        let delete = match effect.change {
            Change::None => false,
            Change::Delete => true,
            _ => panic!("a CRDT entity changes its CRDT, and nothing else"),
        };
        let action = match effect.answer {
            RawAnswer::Now(action) => action,
            RawAnswer::AfterChange(compute) => compute(&self.entity),
        };
        let state_action = self.state_action(delete, effect.write_consistency);
        let callbacks = callbacks.filter(|callbacks| streamed && !delete && !callbacks.is_empty());
        // Without a state action a proxy would take the one reply to a streamed command, and leave its caller waiting.
        let ends_at_once = streamed && callbacks.is_none() && state_action.is_none();
        let reply = CrdtReply {
            command_id: self.exchange.context().command_id(),
            client_action: if silent { None } else { answer(action) },
            side_effects: effect.side_effects.into_iter().map(SideEffect::into_proto).collect(),
            state_action,
            streamed: callbacks.is_some() || ends_at_once,
        };
        self.exchange.check_size(&reply).map_err(CommandError::Failure)?;
        if callbacks.is_some() {
            self.followers.check_room().map_err(CommandError::Failure)?;
        }
        Ok(Accepted { reply, callbacks, ends_at_once, delete })
    }

    fn accept(&mut self, id: i64, accepted: Accepted<E>, out: &mut Vec<Message>) {
        let Accepted { reply, callbacks, ends_at_once, delete } = accepted;
        let has_changed = reply.state_action.is_some();
        out.push(Message::Reply(reply));
        self.entity.root().mark_sent();
        if delete {
            self.delete(out);
        } else if has_changed {
            self.followers.tell(&self.entity, out);
        }
        if ends_at_once {
            out.push(Followers::<E>::end_of(id));
        }
        // After the others were told: whoever begins to follow knows of this change.
        if let Some(callbacks) = callbacks {
            self.followers.add(id, callbacks);
        }
    }

    /// Absent when nothing changes.
    fn state_action(&mut self, delete: bool, consistency: WriteConsistency) -> Option<CrdtStateAction> {
        use crdt_state_action::Action;
        let action = if delete {
            Action::Delete(CrdtDelete {})
        } else {
            Action::Update(self.entity.root().unsent()?.into_proto())
        };
        Some(CrdtStateAction { write_consistency: consistency.number(), action: Some(action) })
    }

    /// The caller of a streamed command is gone. The proxy waits for the response, even about a command that it has
    /// already said this of, or that never was streamed.
    fn cancel(&mut self, cancelled: &proto::StreamCancelled, out: &mut Vec<Message>) -> Result<(), Fault> {
        let proto::StreamCancelled { entity_id, id } = cancelled;
        let expected = self.exchange.context().entity_id();
        if entity_id != expected {
            return Err(Fault::protocol(
                *id,
                format_args!("a cancellation for entity `{entity_id}` on the stream of `{expected}`"),
            ));
        }
        let mut response = CrdtStreamCancelledResponse { command_id: *id, ..Default::default() };
        if let Some(clean_up) = self.followers.remove(*id) {
            let done = contain(*id, "cleaning up after a caller", || clean_up(&mut self.entity))?;
            response.state_action = self.state_action(false, done.consistency);
            response.side_effects = done.side_effects.into_iter().map(SideEffect::into_proto).collect();
            self.exchange.check_size(&response).map_err(|failure| Fault::hydration(failure.message))?;
            self.entity.root().mark_sent();
        }
        let has_changed = response.state_action.is_some();
        out.push(Message::StreamCancelledResponse(response));
        if has_changed {
            self.followers.tell(&self.entity, out);
        }
        Ok(())
    }

    fn replicate(&mut self, delta: CrdtDelta, out: &mut Vec<Message>) -> Result<(), Fault> {
        if self.stage != Stage::Deleted {
            self.apply(delta)?;
            self.followers.tell(&self.entity, out);
        }
        Ok(())
    }

    fn apply(&mut self, delta: CrdtDelta) -> Result<(), Fault> {
        let root = self.entity.root();
        let applied = Delta::from_proto(Some(delta)).and_then(|delta| match self.stage {
            Stage::New => E::Root::from_state(delta).map(|state| *root = state),
            Stage::Live | Stage::Deleted => root.apply(delta),
        });
        self.stage = Stage::Live;
        applied.map_err(|error| {
            let id = self.exchange.context().entity_id();
            Fault::hydration(format!("cannot apply a change of entity `{id}`: {error}"))
        })
    }

    /// The proxy ends the stream next.
    fn delete(&mut self, out: &mut Vec<Message>) {
        self.stage = Stage::Deleted;
        self.followers.dismiss(out);
    }
}

/// A command that is not refused any more.
struct Accepted<E> {
    reply: CrdtReply,
    callbacks: Option<super::streamed::Callbacks<E>>,
    ends_at_once: bool,
    delete: bool,
}

#[cfg(test)]
mod tests;

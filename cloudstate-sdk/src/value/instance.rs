//! One live entity: a pure state machine. Messages in, replies or a fault out; no I/O and no clock.

use cloudstate_proto as proto;
use cloudstate_proto::valueentity::{
    ValueEntityAction, ValueEntityDelete, ValueEntityInit, ValueEntityReply, ValueEntityUpdate,
    value_entity_action::Action, value_entity_stream_in::Message,
};

use super::{Handler, PendingUpdate, StateMessage, ValueEntity};
use crate::command::dispatch::RawAnswer;
use crate::command::reply::Change;
use crate::command::{CommandError, SideEffect};
use crate::conversation::{Exchange, Terms, answer};
use crate::fault::{Fault, contain};
use crate::registration::Create;
use crate::{Any, Failure};

/// An entity, and what was agreed with its proxy.
pub(crate) struct Instance<E> {
    entity: E,
    /// What is deleted begins anew.
    create: Create<E>,
    exchange: Exchange,
}

impl<E: ValueEntity + Handler> Instance<E> {
    /// Creates the entity, with the stored value if there is one.
    pub(crate) fn start(init: ValueEntityInit, create: Create<E>, terms: Terms) -> Result<Self, Fault> {
        let exchange = Exchange::new(init.entity_id, terms)?;
        let entity = exchange.create(&*create)?;
        let mut instance = Self { entity, create, exchange };
        // A proxy says in either way that nothing is stored.
        if let Some(stored) = init.state.and_then(|state| state.value) {
            instance.restore(&stored).map_err(|fault| fault.about::<E>(instance.exchange.context()))?;
        }
        Ok(instance)
    }

    /// Takes what follows `init`: a command, which gives exactly one reply or a fault. After a fault the instance must
    /// be dropped.
    pub(crate) fn step(&mut self, message: Option<Message>) -> Result<ValueEntityReply, Fault> {
        self.exchange.idle();
        let outcome = match message {
            Some(Message::Command(command)) => self.handle(command),
            Some(Message::Init(_)) => Err(Fault::protocol(0, "a second init on one stream")),
            None => Err(Fault::protocol(0, "a message that is neither init nor command")),
        };
        outcome.map_err(|fault| fault.about::<E>(self.exchange.context()))
    }

    pub(crate) fn entity(&self) -> &E {
        &self.entity
    }

    pub(crate) fn into_entity(self) -> E {
        self.entity
    }

    fn restore(&mut self, stored: &Any) -> Result<(), Fault> {
        let value = StateMessage::decode(stored).map_err(|error| {
            let id = self.exchange.context().entity_id();
            Fault::hydration(format!("cannot restore the value of entity `{id}`: {error}"))
        })?;
        self.entity.state().swap_with(&mut Some(value));
        Ok(())
    }

    fn handle(&mut self, command: proto::Command) -> Result<ValueEntityReply, Fault> {
        let id = command.id;
        let payload = self.exchange.begin(command, 0)?;
        let _span = self.exchange.span().entered();
        match contain(id, "handling the command", || self.run(&payload))? {
            Ok(reply) => Ok(reply),
            Err(CommandError::Failure(failure)) => {
                let client_action = self.exchange.refuse::<E>(failure, false);
                Ok(ValueEntityReply { command_id: id, client_action, ..Default::default() })
            }
            Err(CommandError::Unknown { service, command }) => {
                Err(self.exchange.unknown_command(service, &command))
            }
        }
    }

    /// Handler, change, answer, in this order. The change is taken back if the answer to it cannot be sent.
    fn run(&mut self, payload: &Any) -> Result<ValueEntityReply, CommandError> {
        let context = self.exchange.context();
        let effect = self.entity.handle(context.command_name(), payload, context)?;
        let effect = effect.traced(self.exchange.trace());
        let mut pending = match effect.change {
            Change::Update(update) => Pending::Update(update),
            Change::Delete => Pending::Delete((self.create)(context)),
            Change::None => Pending::Nothing,
            Change::Events(_) => panic!("a value entity stores a value, and nothing else"),
        };
        let mut reply = ValueEntityReply {
            command_id: context.command_id(),
            side_effects: effect.side_effects.into_iter().map(SideEffect::into_proto).collect(),
            state_action: pending.encode(),
            ..Default::default()
        };
        pending.swap_with(&mut self.entity);
        reply.client_action = answer(match effect.answer {
            RawAnswer::Now(action) => action,
            RawAnswer::AfterChange(compute) => compute(&self.entity),
        });
        self.exchange.check_size(&reply).map_err(|failure: Failure| {
            pending.swap_with(&mut self.entity);
            CommandError::Failure(failure)
        })?;
        Ok(reply)
    }
}

/// The change that a command asks for.
enum Pending<E> {
    Nothing,
    Update(Box<dyn PendingUpdate<E>>),
    /// With an entity that was never set.
    Delete(E),
}

impl<E> Pending<E> {
    /// Absent when nothing changes.
    fn encode(&self) -> Option<ValueEntityAction> {
        let action = match self {
            Self::Nothing => return None,
            Self::Update(update) => Action::Update(ValueEntityUpdate { value: update.encode() }),
            Self::Delete(_) => Action::Delete(ValueEntityDelete {}),
        };
        Some(ValueEntityAction { action: Some(action) })
    }

    /// Makes the change, and when done again takes it back.
    fn swap_with(&mut self, entity: &mut E) {
        match self {
            Self::Nothing => {}
            Self::Update(update) => update.swap_with(entity),
            Self::Delete(fresh) => std::mem::swap(fresh, entity),
        }
    }
}

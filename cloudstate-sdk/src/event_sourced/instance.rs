//! One live entity: a pure state machine. Messages in, replies or a fault out; no I/O and no clock.

use std::any::type_name;

use cloudstate_proto as proto;
use cloudstate_proto::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot,
    event_sourced_stream_in::Message,
};

use super::{EventSourcedEntity, Handler, Snapshots};
use crate::command::dispatch::RawAnswer;
use crate::command::reply::Change;
use crate::command::{CommandError, Context, SideEffect};
use crate::conversation::{Exchange, Terms, answer};
use crate::fault::{Fault, contain};
use crate::{Any, Failure};

/// An entity, its place in its journal, and what was agreed with its proxy.
pub(crate) struct Instance<E> {
    entity: E,
    /// The number of the last event. Never negative.
    sequence: i64,
    exchange: Exchange,
    snapshots: Snapshots<E>,
    /// The state holds events that were not sent: nothing may be answered from it any more.
    awaits_restart: bool,
}

impl<E: EventSourcedEntity + Handler> Instance<E> {
    /// Creates the entity, from a snapshot if there is one.
    pub(crate) fn start(
        init: EventSourcedInit,
        create: &dyn Fn(&Context) -> E,
        terms: Terms,
    ) -> Result<Self, Fault> {
        let exchange = Exchange::new(init.entity_id, terms)?;
        let entity = exchange.create(create)?;
        let snapshots = E::snapshots();
        let mut instance = Self { entity, sequence: 0, exchange, snapshots, awaits_restart: false };
        if let Some(EventSourcedSnapshot { snapshot_sequence, snapshot: Some(snapshot) }) = init.snapshot {
            instance
                .restore(snapshot_sequence, &snapshot)
                .map_err(|fault| fault.about::<E>(instance.exchange.context()))?;
        }
        Ok(instance)
    }

    /// Takes what follows `init`. Events are silent; a command gives exactly one reply or a fault. After a fault
    /// the instance must be dropped.
    pub(crate) fn step(&mut self, message: Option<Message>) -> Result<Option<EventSourcedReply>, Fault> {
        if self.awaits_restart {
            return Err(Fault::protocol(0, "the entity asked for a restart, and got another message"));
        }
        self.exchange.idle();
        let outcome = match message {
            Some(Message::Command(command)) => self.handle(command).map(Some),
            Some(Message::Event(event)) => self.replay(event).map(|()| None),
            Some(Message::Init(_)) => Err(Fault::protocol(0, "a second init on one stream")),
            None => Err(Fault::protocol(0, "a message that is neither init, event nor command")),
        };
        outcome.map_err(|fault| fault.about::<E>(self.exchange.context()))
    }

    pub(crate) fn entity(&self) -> &E {
        &self.entity
    }

    pub(crate) fn into_entity(self) -> E {
        self.entity
    }

    fn restore(&mut self, sequence: i64, snapshot: &Any) -> Result<(), Fault> {
        if sequence < 0 {
            return Err(Fault::protocol(0, format_args!("a snapshot with the sequence number {sequence}")));
        }
        let restored =
            contain(0, "restoring a snapshot", || self.snapshots.restore(&mut self.entity, snapshot))?;
        let problem = match restored {
            Some(Ok(())) => {
                self.sequence = sequence;
                return Ok(());
            }
            Some(Err(error)) => error.to_string(),
            None => format!("it is a `{}`, and the entity has no `impl Snapshot`", snapshot.type_url),
        };
        let id = self.exchange.context().entity_id();
        Err(Fault::hydration(format!(
            "cannot restore the snapshot of entity `{id}` at sequence {sequence}: {problem}"
        )))
    }

    fn replay(&mut self, EventSourcedEvent { sequence, payload }: EventSourcedEvent) -> Result<(), Fault> {
        let last = self.sequence;
        let id = self.exchange.context().entity_id();
        // The proxy's number is trusted, gaps included: a journal may have been cleaned. But an event that was
        // already applied must not count twice.
        if sequence <= last {
            return Err(Fault::protocol(
                0,
                format_args!("event {sequence} of entity `{id}` came after event {last}"),
            ));
        }
        if sequence - 1 > last {
            tracing::warn!(
                "{} `{id}`: event {sequence} follows event {last}, as if some were lost",
                type_name::<E>()
            );
        }
        let payload = payload.ok_or_else(|| {
            Fault::protocol(0, format_args!("event {sequence} of entity `{id}` has no payload"))
        })?;
        let applied = contain(0, "applying a stored event", || {
            <E::Event as super::Event>::decode(&payload).map(|event| self.entity.apply(event))
        })?;
        applied.map_err(|error| {
            let id = self.exchange.context().entity_id();
            let remedy = if error.is_unknown_type() { remedy_if_renamed(&payload) } else { String::new() };
            Fault::hydration(format!("cannot replay event {sequence} of entity `{id}`: {error}{remedy}"))
        })?;
        self.sequence = sequence;
        Ok(())
    }

    fn handle(&mut self, command: proto::Command) -> Result<EventSourcedReply, Fault> {
        let id = command.id;
        let payload = self.exchange.begin(command, self.sequence.unsigned_abs())?;
        let _span = self.exchange.span().entered();
        match contain(id, "handling the command", || self.run(&payload))? {
            Ok(reply) => Ok(reply),
            Err(Stop::Refused { failure, restart }) => {
                self.awaits_restart = restart;
                let client_action = self.exchange.refuse::<E>(failure, restart);
                Ok(EventSourcedReply { command_id: id, client_action, ..Default::default() })
            }
            Err(Stop::Unknown { service, command }) => Err(self.exchange.unknown_command(service, &command)),
        }
    }

    /// Handler, events, answer, snapshot, in this order. Whatever can refuse comes before the events are
    /// applied; what comes after them and refuses asks for a restart.
    fn run(&mut self, payload: &Any) -> Result<EventSourcedReply, Stop> {
        let context = self.exchange.context();
        let effect = self.entity.handle(context.command_name(), payload, context)?;
        let effect = effect.traced(self.exchange.trace());
        let mut reply = EventSourcedReply {
            command_id: context.command_id(),
            side_effects: effect.side_effects.into_iter().map(SideEffect::into_proto).collect(),
            ..Default::default()
        };
        if let Change::Events(events) = &effect.change {
            reply.events = events.encode();
        }
        let later = match effect.answer {
            RawAnswer::Now(action) => {
                reply.client_action = answer(action);
                None
            }
            RawAnswer::AfterChange(compute) => Some(compute),
        };
        self.exchange.check_size(&reply).map_err(|failure| Stop::Refused { failure, restart: false })?;

        if let Change::Events(events) = effect.change {
            events.apply_to(&mut self.entity);
        }
        if let Some(compute) = later {
            reply.client_action = answer(compute(&self.entity));
            let restart = !reply.events.is_empty();
            self.exchange.check_size(&reply).map_err(|failure| Stop::Refused { failure, restart })?;
        }
        self.attach_snapshot(&mut reply);
        self.sequence = self.sequence.saturating_add_unsigned(reply.events.len() as u64);
        Ok(reply)
    }

    /// A snapshot that does not fit is left out: it only saves time, while the events must be stored.
    fn attach_snapshot(&self, reply: &mut EventSourcedReply) {
        if !self.snapshots.is_due(self.sequence, reply.events.len()) {
            return;
        }
        reply.snapshot = self.snapshots.take(&self.entity);
        if let Err(failure) = self.exchange.check_size(reply) {
            reply.snapshot = None;
            let id = self.exchange.context().entity_id();
            tracing::warn!("{} `{id}`: a snapshot is left out: with it {failure}", type_name::<E>());
        }
    }
}

/// Why a command has no effect.
enum Stop {
    /// It fails, the stream goes on. `restart`: the state holds events that will not be stored, so the proxy has
    /// to load the entity anew.
    Refused {
        failure: Failure,
        restart: bool,
    },
    Unknown {
        service: &'static str,
        command: String,
    },
}

impl From<CommandError> for Stop {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Failure(failure) => Self::Refused { failure, restart: false },
            CommandError::Unknown { service, command } => Self::Unknown { service, command },
        }
    }
}

/// For whoever renames a message that is stored.
fn remedy_if_renamed(event: &Any) -> String {
    let name = event.type_url.rsplit_once('/').map_or(event.type_url.as_str(), |(_, name)| name);
    format!("; if it was renamed, its variant needs `#[event(alias = \"{name}\")]`")
}

//! One live entity: a pure state machine. Messages in, replies or a fault out; no I/O and no clock.

use std::any::type_name;

use cloudstate_proto::client_action::Action;
use cloudstate_proto::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot,
    event_sourced_stream_in::Message,
};
use cloudstate_proto::{self as proto, ClientAction};
use prost::Message as _;

use super::{EventSourcedEntity, Handler, Snapshots};
use crate::command::dispatch::RawAnswer;
use crate::command::reply::Change;
use crate::command::{CommandError, Context, SideEffect};
use crate::fault::{Fault, contain};
use crate::{Any, Code, Failure, Metadata};

/// An entity, its place in its journal, and what was agreed with its proxy.
pub(crate) struct Instance<E> {
    entity: E,
    /// The number of the last event. Never negative.
    sequence: i64,
    /// Of the command in progress; reused, because the entity id stays.
    context: Context,
    snapshots: Snapshots<E>,
    terms: Terms,
    /// The state holds events that were not sent: nothing may be answered from it any more.
    awaits_restart: bool,
}

/// What the reference proxy takes, in bytes. With a larger reply it drops the entity.
pub(crate) const MAX_REPLY_SIZE: usize = 12 << 20;

/// What a stream has to respect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The largest reply that the proxy accepts, in bytes.
    pub(crate) max_reply_size: usize,
    /// Whether the proxy has agreed to get status codes.
    pub(crate) status_codes: bool,
}

impl<E: EventSourcedEntity + Handler> Instance<E> {
    /// Creates the entity, from a snapshot if there is one.
    pub(crate) fn start(
        init: EventSourcedInit,
        create: &dyn Fn(&Context) -> E,
        terms: Terms,
    ) -> Result<Self, Fault> {
        if init.entity_id.is_empty() {
            return Err(Fault::protocol(0, "an init without an entity id"));
        }
        let context = Context::new(init.entity_id);
        let entity = contain(0, "creating the entity", || create(&context))
            .map_err(|fault| fault.about::<E>(&context))?;
        let snapshots = E::snapshots();
        let mut instance = Self { entity, sequence: 0, context, snapshots, terms, awaits_restart: false };
        if let Some(EventSourcedSnapshot { snapshot_sequence, snapshot: Some(snapshot) }) = init.snapshot {
            instance
                .restore(snapshot_sequence, &snapshot)
                .map_err(|fault| fault.about::<E>(&instance.context))?;
        }
        Ok(instance)
    }

    /// Takes what follows `init`. Events are silent; a command gives exactly one reply or a fault. After a fault
    /// the instance must be dropped.
    pub(crate) fn step(&mut self, message: Option<Message>) -> Result<Option<EventSourcedReply>, Fault> {
        if self.awaits_restart {
            return Err(Fault::protocol(0, "the entity asked for a restart, and got another message"));
        }
        self.context.command_name.clear();
        let outcome = match message {
            Some(Message::Command(command)) => self.handle(command).map(Some),
            Some(Message::Event(event)) => self.replay(event).map(|()| None),
            Some(Message::Init(_)) => Err(Fault::protocol(0, "a second init on one stream")),
            None => Err(Fault::protocol(0, "a message that is neither init, event nor command")),
        };
        outcome.map_err(|fault| fault.about::<E>(&self.context))
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
        let id = self.context.entity_id();
        Err(Fault::hydration(format!(
            "cannot restore the snapshot of entity `{id}` at sequence {sequence}: {problem}"
        )))
    }

    fn replay(&mut self, EventSourcedEvent { sequence, payload }: EventSourcedEvent) -> Result<(), Fault> {
        let last = self.sequence;
        let id = self.context.entity_id();
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
            let id = self.context.entity_id();
            Fault::hydration(format!("cannot replay event {sequence} of entity `{id}`: {error}"))
        })?;
        self.sequence = sequence;
        Ok(())
    }

    fn handle(&mut self, command: proto::Command) -> Result<EventSourcedReply, Fault> {
        let id = command.id;
        let expected = self.context.entity_id();
        if command.entity_id != expected {
            let got = command.entity_id;
            return Err(Fault::protocol(
                id,
                format_args!("a command for entity `{got}` on the stream of `{expected}`"),
            ));
        }
        let Some(payload) = command.payload else {
            return Err(Fault::protocol(id, format_args!("the command `{}` has no payload", command.name)));
        };
        self.context.command_id = id;
        self.context.command_name = command.name;
        self.context.sequence = self.sequence.unsigned_abs();
        self.context.metadata = Metadata::from_proto(command.metadata);

        match contain(id, "handling the command", || self.run(&payload))? {
            Ok(reply) => Ok(reply),
            Err(Stop::Refused { failure, restart }) => Ok(self.refuse(failure, restart)),
            Err(Stop::Unknown { service, command }) => {
                Err(Fault::protocol(id, format_args!("`{service}` has no command `{command}`")))
            }
        }
    }

    /// Handler, events, answer, snapshot, in this order. Whatever can refuse comes before the events are
    /// applied; what comes after them and refuses asks for a restart.
    fn run(&mut self, payload: &Any) -> Result<EventSourcedReply, Stop> {
        let effect = self.entity.handle(&self.context.command_name, payload, &self.context)?;
        let mut reply = EventSourcedReply {
            command_id: self.context.command_id,
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
        self.check_size(&reply).map_err(|failure| Stop::Refused { failure, restart: false })?;

        if let Change::Events(events) = effect.change {
            events.apply_to(&mut self.entity);
        }
        if let Some(compute) = later {
            reply.client_action = answer(compute(&self.entity));
            let restart = !reply.events.is_empty();
            self.check_size(&reply).map_err(|failure| Stop::Refused { failure, restart })?;
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
        if let Err(failure) = self.check_size(reply) {
            reply.snapshot = None;
            let id = self.context.entity_id();
            tracing::warn!("{} `{id}`: a snapshot is left out: with it {failure}", type_name::<E>());
        }
    }

    fn check_size(&self, reply: &EventSourcedReply) -> Result<(), Failure> {
        let (size, limit) = (reply.encoded_len() + FRAMING, self.terms.max_reply_size);
        if size <= limit {
            return Ok(());
        }
        Err(Failure::resource_exhausted(format!(
            "the reply, its events and side effects would take {size} bytes, more than the {limit} that a proxy accepts"
        )))
    }

    fn refuse(&mut self, mut failure: Failure, restart: bool) -> EventSourcedReply {
        self.awaits_restart = restart;
        let Context { entity_id, command_name, .. } = &self.context;
        tracing::debug!("{} `{entity_id}` refuses `{command_name}`: {failure}", type_name::<E>());
        if failure.message.len() + FRAMING > self.terms.max_reply_size {
            failure.message = "the command was refused with a message that is too long to send".into();
        }
        let status_code = match failure.code {
            // None was chosen, so the message stays that of the bare protocol.
            Code::Unknown => 0,
            code => code.number(),
        };
        let command_id = self.context.command_id;
        EventSourcedReply {
            command_id,
            client_action: answer(Action::Failure(proto::Failure {
                command_id,
                description: failure.message,
                restart,
                grpc_status_code: if self.terms.status_codes { status_code } else { 0 },
            })),
            ..Default::default()
        }
    }
}

/// More than the tags, lengths and ids around a reply or the text of a failure take.
const FRAMING: usize = 64;

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

fn answer(action: Action) -> Option<ClientAction> {
    Some(ClientAction { action: Some(action) })
}

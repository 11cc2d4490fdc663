//! The whole conversation on one stream, still without I/O: `init` picks the entity, the rest goes to it.

use std::collections::HashMap;
use std::sync::Arc;

use cloudstate_proto::eventsourced::{
    EventSourcedInit, EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
    event_sourced_stream_in, event_sourced_stream_out,
};

use super::instance::{Instance, Terms};
use super::{EventSourcedEntity, Handler};
use crate::fault::Fault;
use crate::registration::Create;

/// The event sourced entities of a user function, by service name.
pub(crate) type Hosts = HashMap<&'static str, Box<dyn Host>>;

/// Starts instances of one entity type.
pub(crate) trait Host: Send + Sync {
    fn start(&self, init: EventSourcedInit, terms: Terms) -> Result<Box<dyn Live>, Fault>;
}

/// An instance whose type does not matter.
pub(crate) trait Live: Send {
    fn step(
        &mut self,
        message: Option<event_sourced_stream_in::Message>,
    ) -> Result<Option<EventSourcedReply>, Fault>;
}

/// One stream.
pub(crate) struct Conversation {
    hosts: Arc<Hosts>,
    terms: Terms,
    phase: Phase,
}

enum Phase {
    AwaitsInit,
    Live(Box<dyn Live>),
    Over,
}

/// What a message leads to.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing to send.
    Silent,
    /// The answer to a command.
    Answer(EventSourcedStreamOut),
    /// The last message of the stream.
    End(EventSourcedStreamOut),
}

impl Conversation {
    pub(crate) fn new(hosts: Arc<Hosts>, terms: Terms) -> Self {
        Self { hosts, terms, phase: Phase::AwaitsInit }
    }

    pub(crate) fn step(&mut self, message: EventSourcedStreamIn) -> Step {
        let outcome = match &mut self.phase {
            Phase::AwaitsInit => self.start(message.message).map(|()| None),
            Phase::Live(live) => live.step(message.message),
            Phase::Over => Ok(None),
        };
        match outcome {
            Ok(None) => Step::Silent,
            Ok(Some(reply)) => Step::Answer(out(event_sourced_stream_out::Message::Reply(reply))),
            Err(fault) => self.end(fault),
        }
    }

    /// Ends the stream because what came could not even be read.
    pub(crate) fn unreadable(&mut self, cause: impl std::fmt::Display) -> Step {
        self.end(Fault::protocol(0, format_args!("cannot read the message: {cause}")))
    }

    fn start(&mut self, message: Option<event_sourced_stream_in::Message>) -> Result<(), Fault> {
        let Some(event_sourced_stream_in::Message::Init(init)) = message else {
            return Err(Fault::protocol(0, "the first message must be an init"));
        };
        let Some(host) = self.hosts.get(init.service_name.as_str()) else {
            let name = &init.service_name;
            return Err(Fault::protocol(
                0,
                format_args!("`{name}` is no event sourced entity of this user function"),
            ));
        };
        self.phase = Phase::Live(host.start(init, self.terms)?);
        Ok(())
    }

    fn end(&mut self, fault: Fault) -> Step {
        fault.log();
        self.phase = Phase::Over;
        Step::End(out(event_sourced_stream_out::Message::Failure(fault.into_failure())))
    }
}

impl<E: EventSourcedEntity + Handler + Send + 'static> Host for Create<E> {
    fn start(&self, init: EventSourcedInit, terms: Terms) -> Result<Box<dyn Live>, Fault> {
        Ok(Box::new(Instance::start(init, &**self, terms)?))
    }
}

impl<E: EventSourcedEntity + Handler + Send> Live for Instance<E> {
    fn step(
        &mut self,
        message: Option<event_sourced_stream_in::Message>,
    ) -> Result<Option<EventSourcedReply>, Fault> {
        Instance::step(self, message)
    }
}

fn out(message: event_sourced_stream_out::Message) -> EventSourcedStreamOut {
    EventSourcedStreamOut { message: Some(message) }
}

#[cfg(test)]
mod tests;

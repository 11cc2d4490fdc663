//! The whole conversation on the stream of one entity, still without I/O: `init` picks the entity, the rest goes to
//! it. The same for every kind that has a stream per entity; what differs is in its [`Protocol`].

mod exchange;

use std::collections::HashMap;
use std::sync::Arc;

use cloudstate_proto as proto;
pub(crate) use exchange::{Exchange, answer};

use crate::Code;
use crate::fault::Fault;

/// One stream.
pub(crate) struct Conversation<P: Protocol> {
    hosts: Arc<Hosts<P>>,
    terms: Terms,
    phase: Phase<P>,
}

/// The messages of a kind of entity.
pub(crate) trait Protocol: Sized + 'static {
    /// The kind, as in "is no event sourced entity".
    const TITLE: &'static str;
    /// What the proxy sends.
    type In;
    /// What it must send first.
    type Init;
    /// The answer to a command.
    type Reply;
    /// What the proxy gets: a reply, or the failure that ends the stream.
    type Out;

    /// `None` for any other message.
    fn into_init(message: Self::In) -> Option<Self::Init>;
    /// Whether the proxy may say this in place of an `init`, before it ends the stream.
    fn is_farewell(_: &Self::In) -> bool {
        false
    }
    fn service_name(init: &Self::Init) -> &str;
    fn reply(reply: Self::Reply) -> Self::Out;
    fn failure(failure: proto::Failure) -> Self::Out;
}

/// The entities of one kind of a user function, by service name.
pub(crate) type Hosts<P> = HashMap<&'static str, Box<dyn Host<P>>>;

/// Starts instances of one entity type.
pub(crate) trait Host<P: Protocol>: Send + Sync {
    fn start(&self, init: P::Init, terms: Terms) -> Result<Box<dyn Live<P>>, Fault>;
}

/// An instance whose type does not matter.
pub(crate) trait Live<P: Protocol>: Send {
    /// After a fault the instance must be dropped.
    fn step(&mut self, message: P::In) -> Result<Option<P::Reply>, Fault>;
}

/// What a stream has to respect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The largest reply that the proxy accepts, in bytes.
    pub(crate) max_reply_size: usize,
    /// Whether the proxy has agreed to get status codes.
    pub(crate) status_codes: bool,
}

impl Terms {
    /// What a failure message carries as its status code. 0 is none: then it stays that of the bare protocol.
    pub(crate) fn status_code(self, code: Code) -> u32 {
        match code {
            // None was chosen.
            Code::Unknown => 0,
            code if self.status_codes => code.number(),
            _ => 0,
        }
    }
}

/// What the reference proxy takes, in bytes. With a larger reply it drops the entity.
pub(crate) const MAX_REPLY_SIZE: usize = 12 << 20;

enum Phase<P: Protocol> {
    AwaitsInit,
    Live(Box<dyn Live<P>>),
    Over,
}

/// What a message leads to.
#[derive(Debug)]
pub(crate) enum Step<M> {
    /// Nothing to send.
    Silent,
    /// The answer to a command.
    Answer(M),
    /// The last message of the stream.
    End(M),
}

impl<P: Protocol> Conversation<P> {
    pub(crate) fn new(hosts: Arc<Hosts<P>>, terms: Terms) -> Self {
        Self { hosts, terms, phase: Phase::AwaitsInit }
    }

    pub(crate) fn step(&mut self, message: P::In) -> Step<P::Out> {
        let outcome = match &mut self.phase {
            Phase::AwaitsInit if P::is_farewell(&message) => {
                self.phase = Phase::Over;
                Ok(None)
            }
            Phase::AwaitsInit => self.start(message).map(|()| None),
            Phase::Live(live) => live.step(message),
            Phase::Over => Ok(None),
        };
        match outcome {
            Ok(None) => Step::Silent,
            Ok(Some(reply)) => Step::Answer(P::reply(reply)),
            Err(fault) => self.end(fault),
        }
    }

    /// Ends the stream because what came could not even be read.
    pub(crate) fn unreadable(&mut self, cause: impl std::fmt::Display) -> Step<P::Out> {
        self.end(Fault::protocol(0, format_args!("cannot read the message: {cause}")))
    }

    fn start(&mut self, message: P::In) -> Result<(), Fault> {
        let init =
            P::into_init(message).ok_or_else(|| Fault::protocol(0, "the first message must be an init"))?;
        let host = self.hosts.get(P::service_name(&init)).ok_or_else(|| {
            let (name, kind) = (P::service_name(&init), P::TITLE);
            Fault::protocol(0, format_args!("`{name}` is no {kind} entity of this user function"))
        })?;
        self.phase = Phase::Live(host.start(init, self.terms)?);
        Ok(())
    }

    fn end(&mut self, fault: Fault) -> Step<P::Out> {
        fault.log();
        self.phase = Phase::Over;
        Step::End(P::failure(fault.into_failure()))
    }
}

use std::any::type_name;

use cloudstate_proto::client_action::Action;
use cloudstate_proto::{self as proto, ClientAction};
use prost::Message;

use super::Terms;
use crate::command::trace::Trace;
use crate::fault::{Fault, contain};
use crate::{Any, Context, Failure, Metadata};

/// The command in progress on a stream, and the rules for its answer that do not depend on the kind of entity.
pub(crate) struct Exchange {
    /// Reused from command to command, because the entity id stays.
    context: Context,
    trace: Trace,
    terms: Terms,
}

/// More than the tags, lengths and ids around a reply or the text of a failure take.
const FRAMING: usize = 64;

impl Exchange {
    pub(crate) fn new(entity_id: String, terms: Terms) -> Result<Self, Fault> {
        if entity_id.is_empty() {
            return Err(Fault::protocol(0, "an init without an entity id"));
        }
        Ok(Self { context: Context::new(entity_id), trace: Trace::default(), terms })
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Makes a new entity.
    pub(crate) fn create<E>(&self, create: &dyn Fn(&Context) -> E) -> Result<E, Fault> {
        contain(0, "creating the entity", || create(&self.context))
            .map_err(|fault| fault.about::<E>(&self.context))
    }

    /// Forgets the last command: what comes may be none.
    pub(crate) fn idle(&mut self) {
        self.context.command_name.clear();
    }

    /// Begins with a command that comes after `sequence` events; returns its payload.
    pub(crate) fn begin(&mut self, command: proto::Command, sequence: u64) -> Result<Any, Fault> {
        let proto::Command { entity_id, id, name, payload, metadata, .. } = command;
        let expected = self.context.entity_id();
        if entity_id != expected {
            return Err(Fault::protocol(
                id,
                format_args!("a command for entity `{entity_id}` on the stream of `{expected}`"),
            ));
        }
        let payload = payload
            .ok_or_else(|| Fault::protocol(id, format_args!("the command `{name}` has no payload")))?;
        self.context.command_id = id;
        self.context.command_name = name;
        self.context.sequence = sequence;
        self.context.metadata = Metadata::from_proto(metadata);
        self.trace = Trace::of(&self.context.metadata);
        Ok(payload)
    }

    /// The trace that the command belongs to.
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What the log lines of the command's handler belong to.
    pub(crate) fn span(&self) -> tracing::Span {
        self.trace.span(self.context.entity_id(), self.context.command_name())
    }

    /// Whether the proxy would accept `reply`.
    pub(crate) fn check_size(&self, reply: &impl Message) -> Result<(), Failure> {
        let (size, limit) = (reply.encoded_len() + FRAMING, self.terms.max_reply_size);
        if size <= limit {
            return Ok(());
        }
        Err(Failure::resource_exhausted(format!(
            "the reply, with what is stored and called, would take {size} bytes, more than the {limit} that a proxy \
             accepts"
        )))
    }

    /// What the caller gets when the entity `E` refuses.
    pub(crate) fn refuse<E>(&self, mut failure: Failure, restart: bool) -> Option<ClientAction> {
        let Context { entity_id, command_name, command_id, .. } = &self.context;
        tracing::debug!("{} `{entity_id}` refuses `{command_name}`: {failure}", type_name::<E>());
        if failure.message.len() + FRAMING > self.terms.max_reply_size {
            failure.message = "the command was refused with a message that is too long to send".into();
        }
        let grpc_status_code = self.terms.status_code(failure.code);
        answer(Action::Failure(proto::Failure {
            command_id: *command_id,
            description: failure.message,
            restart,
            grpc_status_code,
        }))
    }

    /// The other side has another contract.
    pub(crate) fn unknown_command(&self, service: &str, command: &str) -> Fault {
        Fault::protocol(self.context.command_id, format_args!("`{service}` has no command `{command}`"))
    }
}

/// A client action that is there.
pub(crate) fn answer(action: Action) -> Option<ClientAction> {
    Some(ClientAction { action: Some(action) })
}

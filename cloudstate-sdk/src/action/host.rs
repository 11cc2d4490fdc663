//! From the first command of a call to the action that it is for.

use std::collections::HashMap;
use std::sync::Arc;

use cloudstate_proto::action::ActionCommand;

use super::call::{Call, Inbound, Input, Responses, Shape};
use super::responses::Running;
use super::{ActionService, Handler};
use crate::command::trace::Trace;
use crate::conversation::Terms;
use crate::{Context, Metadata};

/// The actions of a user function, by service name.
pub(crate) type Hosts = HashMap<&'static str, Arc<dyn Host>>;

/// Makes the one instance that serves all calls.
pub(crate) type Start = Box<dyn FnOnce() -> Arc<dyn Host> + Send + Sync>;

/// An action whose type does not matter.
pub(crate) trait Host: Send + Sync {
    fn handle(self: Arc<Self>, call: Call) -> Responses;

    fn hosted(self: Arc<Self>) -> Arc<dyn Host>
    where
        Self: Sized + 'static,
    {
        self
    }
}

impl<A: ActionService + Handler> Host for A {
    fn handle(self: Arc<Self>, call: Call) -> Responses {
        Handler::handle(self, call)
    }
}

/// Begins a call that brings its whole input in one command.
pub(crate) fn begin(hosts: &Hosts, shape: Shape, mut command: ActionCommand, terms: Terms) -> Running {
    let payload = command.payload.take();
    route(hosts, shape, command, Input::One(payload), terms)
}

/// Begins a call whose input follows its first command, which only names the rpc. `None`: not even that came.
pub(crate) fn begin_streamed(
    hosts: &Hosts,
    shape: Shape,
    first: Option<ActionCommand>,
    rest: Inbound,
    terms: Terms,
) -> Running {
    match first {
        None => refused(terms, "the call ended before a command said which rpc is called"),
        Some(command) if command.payload.is_some() => refused(
            terms,
            format_args!(
                "the first command of a streamed call names the rpc `{}`; it must not have a payload",
                command.name
            ),
        ),
        Some(command) => route(hosts, shape, command, Input::Many(rest), terms),
    }
}

fn route(hosts: &Hosts, shape: Shape, command: ActionCommand, input: Input, terms: Terms) -> Running {
    let ActionCommand { service_name: service, name, metadata, .. } = command;
    let Some(host) = hosts.get(service.as_str()) else {
        return refused(terms, format_args!("`{service}` is no action of this user function"));
    };
    let host = Arc::clone(host);
    let metadata = Metadata::from_proto(metadata);
    let trace = Trace::of(&metadata);
    let context = Context::default().with_command_name(name.as_str()).with_metadata(metadata);
    let call = Call::new(context, shape, input);
    Running::start(terms, trace, &name, || host.handle(call))
}

/// Answers a call that reaches no handler.
fn refused(terms: Terms, why: impl std::fmt::Display) -> Running {
    Running::start(terms, Trace::default(), "", || Responses::protocol_error(why))
}

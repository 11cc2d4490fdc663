//! What is sent to the user function.

use std::sync::Arc;

use cloudstate_proto::{Any, Metadata, action::ActionCommand};
use futures_util::{Stream, StreamExt, future, stream};
use tokio::sync::oneshot;

use super::Payloads;
use crate::{
    routing::{BoxStream, Failure},
    service_catalog::Method,
};

/// The commands of one call. When the client breaks its stream of requests, `broken` is told, and they do not end as if
/// they were complete.
pub(super) fn commands(
    method: Arc<Method>,
    payloads: Payloads,
    metadata: Metadata,
    broken: oneshot::Sender<Failure>,
) -> BoxStream<ActionCommand> {
    let payloads = match payloads {
        Payloads::One(payload) => stream::iter([payload]).boxed(),
        Payloads::Many(payloads) => until_broken(payloads, broken).boxed(),
    };
    if method.service.is_stateless_function {
        return payloads.map(move |payload| addressed(&method, Some(payload), None)).boxed();
    }
    if method.client_streaming {
        let head = addressed(&method, None, Some(metadata));
        return stream::iter([head]).chain(payloads.map(element)).boxed();
    }
    let mut metadata = Some(metadata);
    payloads.map(move |payload| addressed(&method, Some(payload), metadata.take())).boxed()
}

/// A command that says what is called.
fn addressed(method: &Method, payload: Option<Any>, metadata: Option<Metadata>) -> ActionCommand {
    ActionCommand {
        service_name: method.service.name.to_string(),
        name: method.name.to_string(),
        payload,
        metadata,
    }
}

/// One of several requests, after the command that said what is called.
fn element(payload: Any) -> ActionCommand {
    ActionCommand { payload: Some(payload), metadata: Some(Metadata::default()), ..ActionCommand::default() }
}

fn until_broken(
    payloads: BoxStream<Result<Any, Failure>>,
    broken: oneshot::Sender<Failure>,
) -> impl Stream<Item = Any> {
    stream::unfold((payloads, broken), |(mut payloads, broken)| async {
        match payloads.next().await? {
            Ok(payload) => Some((payload, (payloads, broken))),
            Err(failure) => {
                // Nobody there: the call is over already.
                let _ = broken.send(failure);
                future::pending().await
            }
        }
    })
}

//! What is sent to the user function.

use std::sync::Arc;

use cloudstate_proto::{Any, Metadata, action::ActionCommand};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::oneshot;

use super::Payloads;
use crate::{
    routing::{BoxStream, Failure},
    service_catalog::Method,
    user_function::Cancelled,
};

/// What a stream of requests and the call that it belongs to tell each other.
pub(super) struct Ends {
    /// Told of a client that breaks its stream of requests.
    pub(super) broken: oneshot::Sender<Failure>,
    /// Closed when the call is over.
    pub(super) over: oneshot::Receiver<()>,
}

/// The commands of one call. They end with [`Cancelled`], and not as if they were complete, when the client breaks its
/// stream of requests or the call is over before that has ended.
pub(super) fn commands(
    method: Arc<Method>,
    payloads: Payloads,
    metadata: Metadata,
    ends: Ends,
) -> BoxStream<Result<ActionCommand, Cancelled>> {
    let payloads = match payloads {
        Payloads::One(payload) => stream::iter([Ok(payload)]).boxed(),
        Payloads::Many(payloads) => until_over(payloads, ends).boxed(),
    };
    if method.service.is_stateless_function {
        return payloads.map(move |payload| Ok(addressed(&method, Some(payload?), None))).boxed();
    }
    if method.client_streaming {
        let head = addressed(&method, None, Some(metadata));
        return stream::iter([Ok(head)]).chain(payloads.map(|payload| payload.map(element))).boxed();
    }
    let mut metadata = Some(metadata);
    payloads.map(move |payload| Ok(addressed(&method, Some(payload?), metadata.take()))).boxed()
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

fn until_over(
    payloads: BoxStream<Result<Any, Failure>>,
    ends: Ends,
) -> impl Stream<Item = Result<Any, Cancelled>> {
    stream::unfold(Some((payloads, ends)), |going_on| async {
        let (mut payloads, mut ends) = going_on?;
        let payload = tokio::select! {
            biased;
            _ = &mut ends.over => return Some((Err(Cancelled), None)),
            payload = payloads.next() => payload?,
        };
        match payload {
            Ok(payload) => Some((Ok(payload), Some((payloads, ends)))),
            Err(failure) => {
                // Nobody there: the call is over already.
                let _ = ends.broken.send(failure);
                Some((Err(Cancelled), None))
            }
        }
    })
}

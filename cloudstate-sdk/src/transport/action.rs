use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use cloudstate_proto::action::action_protocol_server::ActionProtocol;
use cloudstate_proto::action::{ActionCommand, ActionResponse};
use futures_core::Stream;
use futures_util::stream::poll_fn;
use futures_util::{TryFutureExt as _, TryStreamExt as _};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::extensions::Agreements;
use crate::Failure;
use crate::action::call::{Inbound, Shape};
use crate::action::host::{self, Hosts};
use crate::action::responses::Running;
use crate::conversation::Terms;
use crate::fault::shortened;

/// Brings calls to the actions of a user function.
pub(super) struct ActionCalls {
    pub(super) hosts: Arc<Hosts>,
    pub(super) max_reply_size: usize,
    pub(super) agreements: Arc<Agreements>,
}

/// The response stream is the whole call: polling it reads the request stream and runs the handler. So a call costs no
/// task and no channel, a slow reader slows only itself, and a reset drops the handler.
type Outbound = Pin<Box<dyn Stream<Item = Result<ActionResponse, Status>> + Send>>;

#[async_trait]
impl ActionProtocol for ActionCalls {
    type handleStreamedOutStream = Outbound;
    type handleStreamedStream = Outbound;

    async fn handle_unary(
        &self,
        request: Request<ActionCommand>,
    ) -> Result<Response<ActionResponse>, Status> {
        let terms = self.terms(&request);
        let call = host::begin(&self.hosts, Shape::Unary, request.into_inner(), terms);
        call.only().await.map(Response::new).map_err(status_of)
    }

    async fn handle_streamed_in(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<ActionResponse>, Status> {
        let terms = self.terms(&request);
        let call =
            begin_streamed(Arc::clone(&self.hosts), Shape::StreamedIn, request.into_inner(), terms).await?;
        call.only().await.map(Response::new).map_err(status_of)
    }

    async fn handle_streamed_out(
        &self,
        request: Request<ActionCommand>,
    ) -> Result<Response<Outbound>, Status> {
        let terms = self.terms(&request);
        let call = host::begin(&self.hosts, Shape::StreamedOut, request.into_inner(), terms);
        Ok(Response::new(Box::pin(call.map_err(status_of))))
    }

    // Nothing is awaited: the response headers leave before the first message has come. Some peers wait for them.
    async fn handle_streamed(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<Outbound>, Status> {
        let terms = self.terms(&request);
        let call = begin_streamed(Arc::clone(&self.hosts), Shape::Streamed, request.into_inner(), terms);
        let responses = call.map_ok(|call| call.map_err(status_of)).try_flatten_stream();
        Ok(Response::new(Box::pin(responses)))
    }
}

impl ActionCalls {
    fn terms<T>(&self, request: &Request<T>) -> Terms {
        let peer = request.remote_addr().map(|address| address.ip());
        Terms {
            max_reply_size: self.max_reply_size,
            status_codes: self.agreements.status_codes(peer, request.metadata()),
        }
    }
}

/// Waits for the command that says which rpc is called.
async fn begin_streamed(
    hosts: Arc<Hosts>,
    shape: Shape,
    mut commands: Streaming<ActionCommand>,
    terms: Terms,
) -> Result<Running, Status> {
    let first = commands.message().await?;
    Ok(host::begin_streamed(&hosts, shape, first, requests(commands), terms))
}

/// The requests up to the first that cannot be read: tonic would report the same one without end.
fn requests(commands: Streaming<ActionCommand>) -> Inbound {
    let mut open = Some(commands);
    Box::pin(poll_fn(move |context| {
        let Some(commands) = &mut open else { return Poll::Ready(None) };
        let command = ready!(Pin::new(commands).poll_next(context));
        if !matches!(command, Some(Ok(_))) {
            open = None;
        }
        Poll::Ready(command.map(|command| command.map_err(unreadable)))
    }))
}

/// For the handler, which decides what becomes of a request that it does not get.
fn unreadable(status: Status) -> Failure {
    let code = u32::try_from(i32::from(status.code())).ok().and_then(crate::Code::from_number);
    Failure::with_code(code.unwrap_or_default(), format!("cannot read a request: {}", status.message()))
}

/// The text travels in a header, so it must have an end.
fn status_of(failure: Failure) -> Status {
    let code = i32::try_from(failure.code.number()).map_or(tonic::Code::Unknown, tonic::Code::from_i32);
    Status::new(code, shortened(failure.message))
}

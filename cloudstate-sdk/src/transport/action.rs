use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use cloudstate_proto::action::action_protocol_server::ActionProtocol;
use cloudstate_proto::action::{ActionCommand, ActionResponse};
use futures_core::Stream;
use futures_util::stream::poll_fn;
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
pub(super) struct Outbound {
    stage: Stage,
}

enum Stage {
    /// The command that says which rpc is called has not come.
    Opening(Box<Opening>),
    Running(Running),
    Over,
}

impl Stream for Outbound {
    type Item = Result<ActionResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Stage::Opening(opening) = &mut self.stage {
            match ready!(Pin::new(opening).poll(context)) {
                Ok(running) => self.stage = Stage::Running(running),
                Err(status) => {
                    self.stage = Stage::Over;
                    return Poll::Ready(Some(Err(status)));
                }
            }
        }
        let Stage::Running(running) = &mut self.stage else { return Poll::Ready(None) };
        Pin::new(running).poll_next(context).map(|next| next.map(|response| response.map_err(status_of)))
    }
}

/// Waits for the command that says which rpc is called.
struct Opening {
    hosts: Arc<Hosts>,
    shape: Shape,
    /// Present until it has come.
    commands: Option<Streaming<ActionCommand>>,
    terms: Terms,
}

impl Future for Opening {
    type Output = Result<Running, Status>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let first = match &mut self.commands {
            Some(commands) => ready!(Pin::new(commands).poll_next(context)).transpose(),
            None => Ok(None),
        };
        let rest = requests(self.commands.take());
        Poll::Ready(first.map(|first| host::begin_streamed(&self.hosts, self.shape, first, rest, self.terms)))
    }
}

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
        let call = self.opening(Shape::StreamedIn, request).await?;
        call.only().await.map(Response::new).map_err(status_of)
    }

    async fn handle_streamed_out(
        &self,
        request: Request<ActionCommand>,
    ) -> Result<Response<Outbound>, Status> {
        let terms = self.terms(&request);
        let call = host::begin(&self.hosts, Shape::StreamedOut, request.into_inner(), terms);
        Ok(Response::new(Outbound { stage: Stage::Running(call) }))
    }

    // Nothing is awaited: the response headers leave before the first message has come. Some peers wait for them.
    async fn handle_streamed(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<Outbound>, Status> {
        Ok(Response::new(Outbound {
            stage: Stage::Opening(Box::new(self.opening(Shape::Streamed, request))),
        }))
    }
}

impl ActionCalls {
    fn opening(&self, shape: Shape, request: Request<Streaming<ActionCommand>>) -> Opening {
        let (hosts, terms) = (Arc::clone(&self.hosts), self.terms(&request));
        Opening { hosts, shape, commands: Some(request.into_inner()), terms }
    }

    fn terms<T>(&self, request: &Request<T>) -> Terms {
        let peer = request.remote_addr().map(|address| address.ip());
        Terms {
            max_reply_size: self.max_reply_size,
            status_codes: self.agreements.status_codes(peer, request.metadata()),
        }
    }
}

/// The requests up to the first that cannot be read: tonic would report the same one without end.
fn requests(mut open: Option<Streaming<ActionCommand>>) -> Inbound {
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

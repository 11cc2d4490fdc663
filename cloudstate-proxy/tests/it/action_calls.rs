//! The actions of the scripted user function: each call is held by the test.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use cloudstate_proto::{
    Any, EXTENSIONS_HEADER, Failure, Forward, Metadata, Reply as WireReply, SideEffect,
    action::{
        ActionCommand, ActionResponse,
        action_protocol_server::{ActionProtocol, ActionProtocolServer},
        action_response,
    },
};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use http::{Request as HttpRequest, Response as HttpResponse, Uri};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming, body::Body, server::NamedService};
use tower_service::Service;

use crate::{
    contract::{Reply, any},
    user_function::soon,
};

/// One call of an action, as the user function holds it. Dropped, it is completed with OK.
pub(crate) struct ActionCall {
    /// The rpc of the protocol.
    pub(crate) rpc: &'static str,
    /// Whether it came to `cloudstate.function.StatelessFunction`.
    pub(crate) is_stateless_function: bool,
    /// What the proxy said of extensions.
    pub(crate) extensions: Option<String>,
    /// The proxy's end of the connection that carries it.
    pub(crate) connection: SocketAddr,
    commands: Pin<Box<dyn Stream<Item = Result<ActionCommand, Status>> + Send>>,
    responses: mpsc::UnboundedSender<Result<ActionResponse, Status>>,
    /// How many responses have been taken to be sent.
    pub(crate) taken: Arc<AtomicUsize>,
}

impl ActionCall {
    /// The next command; none when the proxy half-closed.
    pub(crate) async fn next(&mut self) -> Option<ActionCommand> {
        let command = soon("a command of an action", self.commands.next()).await?;
        Some(command.expect("the call is intact"))
    }

    pub(crate) async fn command(&mut self) -> ActionCommand {
        self.next().await.expect("a command")
    }

    /// Takes commands until the proxy half-closes or gives up the call.
    pub(crate) async fn read_to_the_end(&mut self) {
        while let Some(Ok(_)) = self.commands.next().await {}
    }

    /// Does nothing until the proxy gives up the call.
    pub(crate) async fn abandoned(self) {
        self.responses.closed().await;
    }

    /// Nothing has arrived that was not taken.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.commands.next().now_or_never().is_none()
    }

    /// The proxy cancels the call.
    pub(crate) async fn cancelled(&self) {
        soon("the call to be cancelled", self.responses.closed()).await;
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.responses.is_closed()
    }

    pub(crate) fn respond(&self, response: ActionResponse) {
        // The proxy may have given up the call.
        let _ = self.responses.send(Ok(response));
    }

    pub(crate) fn reply(&self, text: &str) {
        self.respond(replying(text));
    }

    /// Ends it with an error.
    pub(crate) fn fail(self, status: Status) {
        let _ = self.responses.send(Err(status));
    }
}

/// A response with a `test.Reply`.
pub(crate) fn replying(text: &str) -> ActionResponse {
    responding(action_response::Response::Reply(WireReply {
        payload: Some(any("Reply", &Reply { text: text.to_owned() })),
        metadata: None,
    }))
}

pub(crate) fn failing(description: &str, code: u32) -> ActionResponse {
    responding(action_response::Response::Failure(Failure {
        description: description.to_owned(),
        grpc_status_code: code,
        ..Failure::default()
    }))
}

pub(crate) fn forwarding(service: &str, command: &str, payload: Any, metadata: Metadata) -> ActionResponse {
    responding(action_response::Response::Forward(Forward {
        service_name: service.to_owned(),
        command_name: command.to_owned(),
        payload: Some(payload),
        metadata: Some(metadata),
    }))
}

pub(crate) fn responding(response: action_response::Response) -> ActionResponse {
    ActionResponse { response: Some(response), side_effects: Vec::new() }
}

/// A response with side effects and nothing else.
pub(crate) fn only_effects(side_effects: Vec<SideEffect>) -> ActionResponse {
    ActionResponse { response: None, side_effects }
}

/// The service, which hands every call to the test.
#[derive(Clone)]
pub(crate) struct Actions(pub(crate) mpsc::UnboundedSender<ActionCall>);

type Responses = Pin<Box<dyn Stream<Item = Result<ActionResponse, Status>> + Send>>;

impl Actions {
    fn begin<T>(
        &self,
        rpc: &'static str,
        request: Request<T>,
        commands: impl FnOnce(T) -> Pin<Box<dyn Stream<Item = Result<ActionCommand, Status>> + Send>>,
    ) -> Responses {
        let (responses, sent) = mpsc::unbounded_channel();
        let extensions = request.metadata().get(EXTENSIONS_HEADER);
        let call = ActionCall {
            rpc,
            is_stateless_function: request.extensions().get::<IsStatelessFunction>().is_some(),
            extensions: extensions.map(|list| list.to_str().unwrap().to_owned()),
            connection: request.remote_addr().unwrap(),
            commands: commands(request.into_inner()),
            responses,
            taken: Arc::default(),
        };
        let taken = Arc::clone(&call.taken);
        let _ = self.0.send(call);
        let counted = move |_: &_| {
            taken.fetch_add(1, Ordering::Relaxed);
        };
        UnboundedReceiverStream::new(sent).inspect(counted).boxed()
    }
}

fn one(command: ActionCommand) -> Pin<Box<dyn Stream<Item = Result<ActionCommand, Status>> + Send>> {
    stream::iter([Ok(command)]).boxed()
}

fn many(
    commands: Streaming<ActionCommand>,
) -> Pin<Box<dyn Stream<Item = Result<ActionCommand, Status>> + Send>> {
    commands.boxed()
}

async fn first(mut responses: Responses) -> Result<Response<ActionResponse>, Status> {
    let response = responses.next().await;
    response.unwrap_or_else(|| Err(Status::internal("the test gave no response"))).map(Response::new)
}

#[tonic::async_trait]
impl ActionProtocol for Actions {
    type handleStreamedOutStream = Responses;
    type handleStreamedStream = Responses;

    async fn handle_unary(
        &self,
        request: Request<ActionCommand>,
    ) -> Result<Response<ActionResponse>, Status> {
        first(self.begin("handleUnary", request, one)).await
    }

    async fn handle_streamed_in(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<ActionResponse>, Status> {
        first(self.begin("handleStreamedIn", request, many)).await
    }

    async fn handle_streamed_out(
        &self,
        request: Request<ActionCommand>,
    ) -> Result<Response<Responses>, Status> {
        Ok(Response::new(self.begin("handleStreamedOut", request, one)))
    }

    async fn handle_streamed(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<Responses>, Status> {
        Ok(Response::new(self.begin("handleStreamed", request, many)))
    }
}

/// The same service under the name that protocol 0.1 gave it.
#[derive(Clone)]
pub(crate) struct StatelessFunction(pub(crate) ActionProtocolServer<Actions>);

#[derive(Clone)]
struct IsStatelessFunction;

impl NamedService for StatelessFunction {
    const NAME: &'static str = "cloudstate.function.StatelessFunction";
}

impl Service<HttpRequest<Body>> for StatelessFunction {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = <ActionProtocolServer<Actions> as Service<HttpRequest<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: HttpRequest<Body>) -> Self::Future {
        let path = request.uri().path().replace(Self::NAME, ActionProtocolServer::<Actions>::NAME);
        *request.uri_mut() = Uri::try_from(path).unwrap();
        request.extensions_mut().insert(IsStatelessFunction);
        self.0.call(request)
    }
}

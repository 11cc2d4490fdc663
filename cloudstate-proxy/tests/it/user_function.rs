//! A user function on a real socket that records what it receives and answers as the test tells it.

use std::{
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

pub(crate) use cloudstate_proto::eventsourced::event_sourced_stream_out::Message as Out;
use cloudstate_proto::valueentity::value_entity_server::ValueEntityServer;
use cloudstate_proto::{
    Any, ClientAction, Command, EXTENSIONS_HEADER, EntitySpec, ProxyInfo, Reply as WireReply, SideEffect,
    UserFunctionError,
    action::action_protocol_server::ActionProtocolServer,
    client_action::Action,
    crdt::{CrdtInit, crdt_server::CrdtServer},
    entity_discovery_server::{EntityDiscovery, EntityDiscoveryServer},
    eventsourced::{
        EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
        event_sourced_server::{EventSourced, EventSourcedServer},
        event_sourced_stream_in::Message as In,
    },
};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio::{
    net::{TcpSocket, TcpStream},
    runtime::{self, Runtime},
    sync::{mpsc, oneshot},
};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use crate::{
    action_calls::{ActionCall, Actions, StatelessFunction},
    contract::{self, Reply, any},
    crdt_function::{CrdtEntities, CrdtStream},
    value_function::{ValueEntities, ValueStream},
};

/// Nothing that a test waits for takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for what must happen.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// How a user function is set up.
pub(crate) struct Setup {
    pub(crate) spec: EntitySpec,
    /// What it answers to the extensions header; none: nothing.
    pub(crate) extensions: Option<&'static str>,
    /// So many calls of `discover` fail first.
    pub(crate) failing_discovers: usize,
    pub(crate) max_concurrent_streams: Option<u32>,
    /// What it takes unread, of one stream and of all of a connection.
    pub(crate) window: Option<u32>,
    /// Its address; none: any.
    pub(crate) address: Option<SocketAddr>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            spec: contract::spec(),
            extensions: None,
            failing_discovers: 0,
            max_concurrent_streams: None,
            window: None,
            address: None,
        }
    }
}

/// A running user function. Dropped, it is gone like a killed process.
pub(crate) struct UserFunction {
    pub(crate) address: SocketAddr,
    pub(crate) discovers: mpsc::UnboundedReceiver<Discover>,
    pub(crate) reports: mpsc::UnboundedReceiver<String>,
    pub(crate) streams: mpsc::UnboundedReceiver<Stream>,
    pub(crate) action_calls: mpsc::UnboundedReceiver<ActionCall>,
    pub(crate) crdts: mpsc::UnboundedReceiver<CrdtStream>,
    pub(crate) values: mpsc::UnboundedReceiver<ValueStream>,
    /// Dropped, it finishes what it has and takes nothing new.
    retire: Option<oneshot::Sender<()>>,
    /// Its own, so that all it does ends with it. Always there until it is dropped.
    runtime: Option<Runtime>,
}

/// One call of `discover`.
#[derive(Debug)]
pub(crate) struct Discover {
    pub(crate) info: ProxyInfo,
    pub(crate) extensions: Option<String>,
}

impl UserFunction {
    pub(crate) fn start(setup: Setup) -> Self {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let address = setup.address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (discovers_seen, discovers) = mpsc::unbounded_channel();
        let (reports_seen, reports) = mpsc::unbounded_channel();
        let (streams_seen, streams) = mpsc::unbounded_channel();
        let (action_calls_seen, action_calls) = mpsc::unbounded_channel();
        let actions = ActionProtocolServer::new(Actions(action_calls_seen));
        let (crdts_seen, crdts) = mpsc::unbounded_channel();
        let (values_seen, values) = mpsc::unbounded_channel();
        let discovery = Discovery {
            spec: setup.spec,
            extensions: setup.extensions,
            failures_left: Mutex::new(setup.failing_discovers),
            discovers: discovers_seen,
            reports: reports_seen,
        };
        let listener = {
            let _inside = runtime.enter();
            listen(address)
        };
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .max_concurrent_streams(setup.max_concurrent_streams)
            .initial_stream_window_size(setup.window)
            .initial_connection_window_size(setup.window)
            .add_service(EntityDiscoveryServer::new(discovery))
            .add_service(StatelessFunction(actions.clone()))
            .add_service(actions)
            .add_service(CrdtServer::new(CrdtEntities(crdts_seen)))
            .add_service(ValueEntityServer::new(ValueEntities(values_seen)))
            .add_service(
                EventSourcedServer::new(Entities(streams_seen)).max_decoding_message_size(usize::MAX),
            );
        let connections = TcpListenerStream::new(listener).inspect_ok(|tcp| tcp.set_nodelay(true).unwrap());
        let (retire, retired) = oneshot::channel::<()>();
        let retired = async {
            let _ = retired.await;
        };
        runtime.spawn(server.serve_with_incoming_shutdown(connections, retired));
        Self {
            address,
            discovers,
            reports,
            streams,
            action_calls,
            crdts,
            values,
            retire: Some(retire),
            runtime: Some(runtime),
        }
    }

    /// One that serves [`contract::spec`].
    pub(crate) fn new() -> Self {
        Self::start(Setup::default())
    }

    pub(crate) fn with_spec(spec: EntitySpec) -> Self {
        Self::start(Setup { spec, ..Setup::default() })
    }

    /// Answers every command of every stream by `answer`, and ends streams that the proxy half-closes.
    pub(crate) fn serve(
        &mut self,
        answer: impl Fn(&mut Entity, Command) -> EventSourcedReply + Send + Sync + 'static,
    ) {
        let mut streams = self.take_streams();
        let answer = Arc::new(answer);
        self.spawn(async move {
            while let Some(stream) = streams.recv().await {
                tokio::spawn(serve_stream(stream, Arc::clone(&answer)));
            }
        });
    }

    /// All streams to come.
    pub(crate) fn take_streams(&mut self) -> mpsc::UnboundedReceiver<Stream> {
        let (_, nothing) = mpsc::unbounded_channel();
        std::mem::replace(&mut self.streams, nothing)
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.as_ref().unwrap().spawn(future);
    }

    /// The next stream that the proxy opens.
    pub(crate) async fn stream(&mut self) -> Stream {
        soon("a stream", self.streams.recv()).await.unwrap()
    }

    /// The next stream, with its init.
    pub(crate) async fn activation(&mut self) -> (Stream, EventSourcedInit) {
        let mut stream = self.stream().await;
        let init = stream.init().await;
        (stream, init)
    }

    /// The next call of an action.
    pub(crate) async fn action_call(&mut self) -> ActionCall {
        soon("a call of an action", self.action_calls.recv()).await.unwrap()
    }

    /// The next stream of a CRDT entity, with its init.
    pub(crate) async fn crdt_activation(&mut self) -> (CrdtStream, CrdtInit) {
        let mut stream = soon("a stream", self.crdts.recv()).await.unwrap();
        let init = stream.init().await;
        (stream, init)
    }

    /// The next stream that the proxy opens for a value entity.
    pub(crate) async fn value_stream(&mut self) -> ValueStream {
        soon("a stream", self.values.recv()).await.unwrap()
    }

    /// The next report.
    pub(crate) async fn report(&mut self) -> String {
        soon("a report", self.reports.recv()).await.unwrap()
    }

    pub(crate) async fn discover(&mut self) -> Discover {
        soon("a discovery", self.discovers.recv()).await.unwrap()
    }

    /// Stops accepting connections and streams, and finishes those it has. Returns when a new one can take its address.
    pub(crate) async fn retire(&mut self) -> SocketAddr {
        drop(self.retire.take());
        soon("the port to be closed", async {
            while TcpStream::connect(self.address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        self.address
    }

    /// Ends it as SIGKILL would; a new one can take its address.
    pub(crate) fn kill(self) -> SocketAddr {
        self.address
    }
}

impl Drop for UserFunction {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn listen(address: SocketAddr) -> tokio::net::TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    // The one before may need a moment to let go of it.
    let started = Instant::now();
    while let Err(error) = socket.bind(address) {
        assert!(started.elapsed() < PATIENCE, "{error}");
        std::thread::sleep(Duration::from_millis(1));
    }
    socket.listen(1024).unwrap()
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// One entity as the user function sees it.
#[derive(Debug, Default)]
pub(crate) struct Entity {
    pub(crate) id: String,
    /// The snapshot and the events that were replayed, and those that it emitted since.
    pub(crate) history: Vec<String>,
}

async fn serve_stream(
    mut stream: Stream,
    answer: Arc<impl Fn(&mut Entity, Command) -> EventSourcedReply + Send + Sync + 'static>,
) {
    let mut entity = Entity::default();
    // An error is the proxy giving up the stream.
    while let Some(Ok(message)) = stream.inbound.next().await {
        match message.message.unwrap() {
            In::Init(init) => {
                entity.id = init.entity_id;
                entity.history.extend(init.snapshot.map(|snapshot| text(snapshot.snapshot.unwrap())));
            }
            In::Event(event) => entity.history.push(text(event.payload.unwrap())),
            In::Command(command) => {
                let reply = answer(&mut entity, command);
                entity.history.extend(reply.events.iter().cloned().map(text));
                stream.send(Out::Reply(reply));
            }
        }
    }
}

fn text(payload: Any) -> String {
    String::from_utf8(payload.value.to_vec()).unwrap()
}

/// One entity stream, as the user function holds it. Dropped, it is ended with OK.
pub(crate) struct Stream {
    /// The proxy's end of the connection that carries it.
    pub(crate) connection: SocketAddr,
    pub(crate) inbound: Streaming<EventSourcedStreamIn>,
    outbound: mpsc::UnboundedSender<Result<EventSourcedStreamOut, Status>>,
}

impl Stream {
    /// The next message; none when the proxy half-closed.
    pub(crate) async fn next(&mut self) -> Option<In> {
        let message = soon("a message", self.inbound.next()).await?;
        Some(message.expect("the stream is intact").message.expect("a known message"))
    }

    pub(crate) async fn init(&mut self) -> EventSourcedInit {
        match self.next().await {
            Some(In::Init(init)) => init,
            other => panic!("init expected, got {other:?}"),
        }
    }

    pub(crate) async fn event(&mut self) -> EventSourcedEvent {
        match self.next().await {
            Some(In::Event(event)) => event,
            other => panic!("event expected, got {other:?}"),
        }
    }

    pub(crate) async fn command(&mut self) -> Command {
        match self.next().await {
            Some(In::Command(command)) => command,
            other => panic!("command expected, got {other:?}"),
        }
    }

    /// The proxy half-closes, having sent nothing more: sooner than it would give the stream up.
    pub(crate) async fn half_closed(&mut self) {
        let end = tokio::time::timeout(Duration::from_secs(5), self.next()).await;
        assert_eq!(end.expect("half-closed in time"), None);
        assert!(!self.outbound.is_closed(), "the proxy gave the stream up instead");
    }

    /// The proxy gives the stream up: it reads no more of it.
    pub(crate) async fn given_up(&self) {
        soon("the stream to be given up", self.outbound.closed()).await;
    }

    /// Nothing has arrived that was not taken.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.inbound.next().now_or_never().is_none()
    }

    pub(crate) fn send(&self, message: Out) {
        // The proxy may have given up the stream.
        let _ = self.outbound.send(Ok(EventSourcedStreamOut { message: Some(message) }));
    }

    /// A message with nothing in it.
    pub(crate) fn send_nothing(&self) {
        let _ = self.outbound.send(Ok(EventSourcedStreamOut { message: None }));
    }

    pub(crate) fn reply(&self, command_id: i64, text: &str) {
        self.send(Out::Reply(reply(command_id, text)));
    }

    /// Ends it with an error.
    pub(crate) fn fail(self, status: Status) {
        let _ = self.outbound.send(Err(status));
    }

    /// Answers the next command with its own id.
    pub(crate) async fn answer(&mut self, text: &str) -> Command {
        let command = self.command().await;
        self.reply(command.id, text);
        command
    }
}

/// A reply of the type `test.Reply`.
pub(crate) fn reply(command_id: i64, text: &str) -> EventSourcedReply {
    let payload = any("Reply", &Reply { text: text.to_owned() });
    let action = Action::Reply(WireReply { payload: Some(payload), metadata: None });
    acting(command_id, action)
}

/// A reply that does `action`.
pub(crate) fn acting(command_id: i64, action: Action) -> EventSourcedReply {
    let client_action = Some(ClientAction { action: Some(action) });
    EventSourcedReply { command_id, client_action, ..EventSourcedReply::default() }
}

/// A reply that fails the command.
pub(crate) fn refusal(command_id: i64, description: &str) -> EventSourcedReply {
    acting(command_id, Action::Failure(failure(command_id, description)))
}

pub(crate) fn failure(command_id: i64, description: &str) -> cloudstate_proto::Failure {
    let description = description.to_owned();
    cloudstate_proto::Failure { command_id, description, restart: false, grpc_status_code: 0 }
}

pub(crate) trait With: Sized {
    fn with_events<const N: usize>(self, events: [&str; N]) -> Self;
    fn with_snapshot(self, snapshot: &str) -> Self;
    fn with_effects(self, effects: Vec<SideEffect>) -> Self;
}

impl With for EventSourcedReply {
    fn with_events<const N: usize>(self, events: [&str; N]) -> Self {
        Self { events: events.map(contract::stored).into(), ..self }
    }

    fn with_snapshot(self, snapshot: &str) -> Self {
        Self { snapshot: Some(contract::stored(snapshot)), ..self }
    }

    fn with_effects(self, side_effects: Vec<SideEffect>) -> Self {
        Self { side_effects, ..self }
    }
}

struct Discovery {
    spec: EntitySpec,
    extensions: Option<&'static str>,
    failures_left: Mutex<usize>,
    discovers: mpsc::UnboundedSender<Discover>,
    reports: mpsc::UnboundedSender<String>,
}

#[tonic::async_trait]
impl EntityDiscovery for Discovery {
    async fn discover(&self, request: Request<ProxyInfo>) -> Result<Response<EntitySpec>, Status> {
        let extensions = request.metadata().get(EXTENSIONS_HEADER);
        let extensions = extensions.map(|list| list.to_str().unwrap().to_owned());
        let _ = self.discovers.send(Discover { info: request.into_inner(), extensions });
        let mut failures_left = self.failures_left.lock().unwrap();
        if *failures_left > 0 {
            *failures_left -= 1;
            return Err(Status::unavailable("still starting"));
        }
        let mut response = Response::new(self.spec.clone());
        if let Some(extensions) = self.extensions {
            response.metadata_mut().insert(EXTENSIONS_HEADER, extensions.parse().unwrap());
        }
        Ok(response)
    }

    async fn report_error(&self, request: Request<UserFunctionError>) -> Result<Response<()>, Status> {
        let _ = self.reports.send(request.into_inner().message);
        Ok(Response::new(()))
    }
}

struct Entities(mpsc::UnboundedSender<Stream>);

#[tonic::async_trait]
impl EventSourced for Entities {
    type handleStream =
        Pin<Box<dyn futures_util::Stream<Item = Result<EventSourcedStreamOut, Status>> + Send>>;

    async fn handle(
        &self,
        request: Request<Streaming<EventSourcedStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        let connection = request.remote_addr().unwrap();
        let (outbound, messages) = mpsc::unbounded_channel();
        let stream = Stream { connection, inbound: request.into_inner(), outbound };
        let _ = self.0.send(stream);
        Ok(Response::new(UnboundedReceiverStream::new(messages).boxed()))
    }
}

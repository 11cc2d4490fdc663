//! A user function on a real socket that records what it receives and answers as the test tells it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use cloudstate_proto::{
    Command, EXTENSIONS_HEADER, EntitySpec, ProxyInfo, UserFunctionError,
    action::action_protocol_server::ActionProtocolServer,
    crdt::{CrdtInit, crdt_server::CrdtServer},
    entity_discovery_server::{EntityDiscovery, EntityDiscoveryServer},
    eventsourced::{EventSourcedInit, EventSourcedReply, event_sourced_server::EventSourcedServer},
    valueentity::value_entity_server::ValueEntityServer,
};
use futures_util::TryStreamExt;
use tokio::{
    runtime::{self, Runtime},
    sync::{mpsc, oneshot},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::{
    action_calls::{ActionCall, Actions, StatelessFunction},
    address::Address,
    contract,
    crdt_function::CrdtStream,
    entity_stream::Entities,
    event_sourced_function::{self, Entity},
    value_function::ValueStream,
    waiting::{PATIENCE, port_closed},
};
/// What most tests need.
pub(crate) use crate::{
    event_sourced_function::{Out, Stream, With, acting, refusal, reply},
    waiting::soon,
};

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
    pub(crate) address: Option<Address>,
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
    /// For the one that takes its place.
    kept: Address,
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
        let kept = setup.address.unwrap_or_else(Address::new);
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
            kept.socket().listen(1024).unwrap()
        };
        let server = Server::builder()
            .max_concurrent_streams(setup.max_concurrent_streams)
            .initial_stream_window_size(setup.window)
            .initial_connection_window_size(setup.window)
            .add_service(EntityDiscoveryServer::new(discovery))
            .add_service(StatelessFunction(actions.clone()))
            .add_service(actions)
            .add_service(CrdtServer::new(Entities(crdts_seen)))
            .add_service(ValueEntityServer::new(Entities(values_seen)))
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
            address: kept.at,
            kept,
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
                tokio::spawn(event_sourced_function::serve(stream, Arc::clone(&answer)));
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
    pub(crate) async fn retire(&mut self) -> Address {
        drop(self.retire.take());
        port_closed(self.address).await;
        self.kept.clone()
    }

    /// Ends it as SIGKILL would. Returns when all its sockets are closed and a new one can take its address.
    pub(crate) fn kill(mut self) -> Address {
        if let Some(runtime) = self.runtime.take() {
            // Nobody may wait for the end of a runtime on a thread of another one.
            std::thread::spawn(|| runtime.shutdown_timeout(PATIENCE)).join().unwrap();
        }
        self.kept.clone()
    }
}

impl Drop for UserFunction {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn failure(command_id: i64, description: &str) -> cloudstate_proto::Failure {
    let description = description.to_owned();
    cloudstate_proto::Failure { command_id, description, restart: false, grpc_status_code: 0 }
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

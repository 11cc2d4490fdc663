//! What a hostile user function sends to a proxy, over real sockets: the first byte picks the rpc that a client calls,
//! then each message stands behind its length, a varint. The function sends them once it has the command, and ends the
//! stream. The client is answered in time; so is the next one, whom the function treats well; and whatever state
//! is left, a CRDT of it can be read.
#![no_main]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cloudstate_fuzz::{fuzz::kinds, hosted, messages, raw::Raw, spec};
use cloudstate_proto::{
    Any, ClientAction, EntitySpec, ProxyInfo, Reply, UserFunctionError,
    action::{ActionResponse, action_response},
    client_action::Action,
    crdt::{CrdtReply, CrdtStreamIn, CrdtStreamOut, crdt_stream_in, crdt_stream_out},
    entity_discovery_server::{EntityDiscovery, EntityDiscoveryServer},
    entity_type,
    eventsourced::{
        EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_stream_in,
        event_sourced_stream_out,
    },
    valueentity::{
        ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut, value_entity_stream_in,
        value_entity_stream_out,
    },
};
use cloudstate_sdk::{
    Service as _,
    crdt::{AnyCrdt, Crdt as _, Delta},
};
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use http::uri::PathAndQuery;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    codegen::Service as _,
    server::{Grpc, StreamingService},
    transport::{Channel, Endpoint},
};

const RPCS: [&str; 8] = [
    "/fuzz.kinds.Journal/Act",
    "/fuzz.kinds.Value/Act",
    "/fuzz.kinds.Crdt/Act",
    "/fuzz.kinds.Crdt/Follow",
    "/fuzz.kinds.Action/Act",
    "/fuzz.kinds.Action/Collect",
    "/fuzz.kinds.Action/Spread",
    "/fuzz.kinds.Action/Each",
];

const PATIENCE: Duration = Duration::from_secs(8);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));

static CHANNEL: LazyLock<Channel> = LazyLock::new(|| RUNTIME.block_on(start()));

/// What the next stream gets; none: what is right.
static SCRIPT: Mutex<Option<Vec<Bytes>>> = Mutex::new(None);

static ENTITIES: AtomicU64 = AtomicU64::new(0);

fuzz_target!(|input: &[u8]| {
    let Some((which, rest)) = input.split_first() else { return };
    let path = RPCS[usize::from(*which) % RPCS.len()];
    let id = format!("e{}", ENTITIES.fetch_add(1, Ordering::Relaxed));
    let channel = CHANNEL.clone();
    let script = messages(rest);
    let next = RUNTIME.block_on(async {
        set_script(Some(script));
        let _ = in_time(call(channel.clone(), path, &id)).await;
        set_script(None);
        in_time(call_again(channel, path, &id)).await
    });
    // What is deleted is gone for good.
    assert!(next.is_ok() || next.as_ref().is_err_and(|status| status.code() == Code::NotFound), "{next:?}");
});

async fn in_time<F: Future>(call: F) -> F::Output {
    tokio::time::timeout(PATIENCE, call).await.expect("the call ends in time")
}

/// The next call. It may still meet the end of the stream that was badly treated, which fails it.
async fn call_again(channel: Channel, path: &'static str, id: &str) -> Result<(), Status> {
    match call(channel.clone(), path, id).await {
        Err(status) if status.code() == Code::Unavailable => call(channel, path, id).await,
        other => other,
    }
}

/// One call of a client, until it ends.
async fn call(channel: Channel, path: &'static str, id: &str) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("the proxy is alive");
    let request = Bytes::from(kinds::Request { id: id.to_owned() }.encode_to_vec());
    let request = Request::new(stream::iter([request]));
    let mut replies = client.streaming(request, PathAndQuery::from_static(path), Raw).await?.into_inner();
    while replies.message().await?.is_some() {}
    Ok(())
}

async fn start() -> Channel {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
    let user_function = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    let proxy = hosted::host(user_function).await;
    let endpoint = Endpoint::from_shared(format!("http://{proxy}")).expect("an address");
    endpoint.connect().await.expect("the proxy listens")
}

/// Serves one connection of the proxy.
async fn serve(connection: TcpStream) {
    connection.set_nodelay(true).expect("a socket");
    let server = http2::Builder::new(TokioExecutor::new());
    // The proxy may close it when it likes.
    let _ = server.serve_connection(TokioIo::new(connection), service_fn(answer)).await;
}

async fn answer(request: http::Request<Incoming>) -> Result<http::Response<Body>, Infallible> {
    if request.uri().path().starts_with("/cloudstate.EntityDiscovery/") {
        return EntityDiscoveryServer::new(Discovery).call(request).await;
    }
    let protocol = Protocol::at(request.uri().path());
    Ok(Grpc::new(Raw).streaming(Function(protocol), request).await)
}

struct Discovery;

#[tonic::async_trait]
impl EntityDiscovery for Discovery {
    async fn discover(&self, _: Request<ProxyInfo>) -> Result<Response<EntitySpec>, Status> {
        let kinds = [
            ("fuzz.kinds.Journal", entity_type::EVENT_SOURCED),
            ("fuzz.kinds.Value", entity_type::VALUE_ENTITY),
            ("fuzz.kinds.Crdt", entity_type::CRDT),
            ("fuzz.kinds.Action", entity_type::ACTION),
        ];
        let services = kinds.map(|(service, _)| service.to_owned());
        let mut spec = spec(kinds::journal::Service::DESCRIPTORS.into(), services);
        for (entity, (_, kind)) in spec.entities.iter_mut().zip(kinds) {
            kind.clone_into(&mut entity.entity_type);
        }
        Ok(Response::new(spec))
    }

    async fn report_error(&self, _: Request<UserFunctionError>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    EventSourced,
    Value,
    Crdt,
    Action,
}

impl Protocol {
    fn at(path: &str) -> Self {
        match path {
            "/cloudstate.eventsourced.EventSourced/handle" => Protocol::EventSourced,
            "/cloudstate.valueentity.ValueEntity/handle" => Protocol::Value,
            "/cloudstate.crdt.Crdt/handle" => Protocol::Crdt,
            _ => Protocol::Action,
        }
    }

    /// What is right to say to a message of the proxy, which is nothing until there is a command.
    fn answer(self, message: Bytes) -> Option<Bytes> {
        let reply =
            Reply { payload: Some(Any { type_url: REPLY.to_owned(), ..Any::default() }), metadata: None };
        let client_action = Some(ClientAction { action: Some(Action::Reply(reply.clone())) });
        Some(Bytes::from(match self {
            Protocol::EventSourced => {
                let event_sourced_stream_in::Message::Command(command) =
                    EventSourcedStreamIn::decode(message).expect(READABLE).message?
                else {
                    return None;
                };
                let command_id = command.id;
                let reply = EventSourcedReply { command_id, client_action, ..EventSourcedReply::default() };
                let message = Some(event_sourced_stream_out::Message::Reply(reply));
                EventSourcedStreamOut { message }.encode_to_vec()
            }
            Protocol::Value => {
                let value_entity_stream_in::Message::Command(command) =
                    ValueEntityStreamIn::decode(message).expect(READABLE).message?
                else {
                    return None;
                };
                let command_id = command.id;
                let reply = ValueEntityReply { command_id, client_action, ..ValueEntityReply::default() };
                let message = Some(value_entity_stream_out::Message::Reply(reply));
                ValueEntityStreamOut { message }.encode_to_vec()
            }
            Protocol::Crdt => {
                let command = match CrdtStreamIn::decode(message).expect(READABLE).message? {
                    crdt_stream_in::Message::Command(command) => command,
                    crdt_stream_in::Message::Init(init) => {
                        init.delta.iter().for_each(|state| read(&state.encode_to_vec()));
                        return None;
                    }
                    _ => return None,
                };
                let reply = CrdtReply { command_id: command.id, client_action, ..CrdtReply::default() };
                CrdtStreamOut { message: Some(crdt_stream_out::Message::Reply(reply)) }.encode_to_vec()
            }
            Protocol::Action => {
                let response = Some(action_response::Response::Reply(reply));
                ActionResponse { response, ..ActionResponse::default() }.encode_to_vec()
            }
        }))
    }
}

const REPLY: &str = "type.googleapis.com/fuzz.kinds.Reply";
const READABLE: &str = "what the proxy writes can be read";

/// A CRDT's state must be one to a user function.
fn read(state: &[u8]) {
    AnyCrdt::from_state(Delta::decode(state).expect("a delta")).expect("a state");
}

/// One stream of the proxy.
struct Function(Protocol);

impl StreamingService<Bytes> for Function {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let protocol = self.0;
        let script = SCRIPT.lock().unwrap_or_else(PoisonError::into_inner).take();
        let answers = request.into_inner();
        let answers = answers
            .filter_map(move |message| ready(message.ok().and_then(|message| protocol.answer(message))));
        let answers = match (script, protocol) {
            // Played once there is a command.
            (Some(script), _) => answers.take(1).flat_map(move |_| stream::iter(script.clone())).boxed(),
            (None, Protocol::Action) => answers.take(1).boxed(),
            (None, _) => answers.boxed(),
        };
        ready(Ok(Response::new(answers.map(Ok).boxed())))
    }
}

fn set_script(script: Option<Vec<Bytes>>) {
    *SCRIPT.lock().unwrap_or_else(PoisonError::into_inner) = script;
}

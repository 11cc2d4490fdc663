//! CRDT entities of a user function that speaks the protocol of 0.1, as the libraries published for it do. Its messages
//! are compiled from their own text here and written in the text format.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::LazyLock,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes};
use cloudstate_proto::{
    EntitySpec, ProxyInfo, UserFunctionError,
    entity_discovery_server::{EntityDiscovery, EntityDiscoveryServer},
};
use futures_util::{StreamExt, future::Ready};
use http::{Request as HttpRequest, Response as HttpResponse};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::BoxFuture,
    server::{Grpc, NamedService, StreamingService},
    transport::Server,
};
use tower_service::Service;

use crate::{
    client::{Answer, Client},
    contract::{Reply, compile},
    crdt_function::spec,
    hosted::{host_with, serving, settings},
    streams::StreamedCall,
    user_function::soon,
};

/// `cloudstate/crdt.proto` of protocol 0.1, and what it takes from `cloudstate/entity.proto`.
const PROTOCOL: &str = r#"
    syntax = "proto3";
    package old;
    message In {
        oneof message {
            Init init = 1; State state = 2; Delta changed = 3; Delete deleted = 4; Command command = 5;
            Cancelled stream_cancelled = 6;
        }
    }
    message Init { string service_name = 1; string entity_id = 2; State state = 3; }
    message Command { string entity_id = 1; int64 id = 2; string name = 3; Any payload = 4; bool streamed = 5; }
    message Cancelled { string entity_id = 1; int64 id = 2; }
    message Out {
        oneof message { Reply reply = 1; Streamed streamed_message = 2; Answer stream_cancelled_response = 3; }
    }
    message Reply {
        int64 command_id = 1; ClientAction client_action = 2; StateAction state_action = 5; bool streamed = 6;
    }
    message Streamed { int64 command_id = 1; ClientAction client_action = 2; bool end_stream = 4; }
    message Answer { int64 command_id = 1; StateAction state_action = 3; }
    message ClientAction { Payload reply = 1; }
    message Payload { Any payload = 1; }
    message StateAction {
        oneof action { State create = 5; Delta update = 6; Delete delete = 7; }
        int32 write_consistency = 8;
    }
    message Delete {}
    message State {
        oneof state {
            GCounter gcounter = 1; PNCounter pncounter = 2; Set gset = 3; Set orset = 4; Register lwwregister = 5;
            Flag flag = 6; Map ormap = 7; Vote vote = 8;
        }
    }
    message GCounter { uint64 value = 1; }
    message PNCounter { int64 value = 1; }
    message Set { repeated Any items = 1; }
    message Register { Any value = 1; int32 clock = 2; int64 custom_clock_value = 3; }
    message Flag { bool value = 1; }
    message Map { repeated Entry entries = 1; }
    message Entry { Any key = 1; State value = 2; }
    message Vote { uint32 votes_for = 1; uint32 total_voters = 2; bool self_vote = 3; }
    message Delta {
        oneof delta {
            GCounterDelta gcounter = 1; PNCounterDelta pncounter = 2; GSetDelta gset = 3; ORSetDelta orset = 4;
            Register lwwregister = 5; Flag flag = 6; ORMapDelta ormap = 7; VoteDelta vote = 8;
        }
    }
    message GCounterDelta { uint64 increment = 1; }
    message PNCounterDelta { sint64 change = 1; }
    message GSetDelta { repeated Any added = 1; }
    message ORSetDelta { bool cleared = 1; repeated Any removed = 2; repeated Any added = 3; }
    message ORMapDelta {
        bool cleared = 1; repeated Any removed = 2; repeated EntryDelta updated = 3; repeated Entry added = 4;
    }
    message EntryDelta { Any key = 1; Delta delta = 2; }
    message VoteDelta { bool self_vote = 1; int32 votes_for = 2; int32 total_voters = 3; }
    // google.protobuf.Any on the wire, with text for its bytes.
    message Any { string type_url = 1; string value = 2; }
"#;

/// For each type: the value as it is created, a change, and the value as it is told to the next stream.
const TYPES: [(&str, &str, &str); 8] = [
    ("gcounter { value: 3 }", "gcounter { increment: 4 }", "gcounter { value: 7 }"),
    ("pncounter { value: -3 }", "pncounter { change: -4 }", "pncounter { value: -7 }"),
    (
        r#"gset { items { value: "a" } }"#,
        r#"gset { added { value: "b" } }"#,
        r#"gset { items: [{ value: "a" }, { value: "b" }] }"#,
    ),
    (
        r#"orset { items: [{ value: "a" }, { value: "b" }] }"#,
        r#"orset { removed { value: "a" } added { value: "c" } }"#,
        r#"orset { items: [{ value: "b" }, { value: "c" }] }"#,
    ),
    (
        r#"lwwregister { value { value: "a" } }"#,
        r#"lwwregister { value { value: "b" } }"#,
        r#"lwwregister { value { value: "b" } }"#,
    ),
    ("flag {}", "flag { value: true }", "flag { value: true }"),
    (
        r#"ormap { entries { key { value: "k" } value { pncounter { value: 1 } } } }"#,
        r#"ormap {
            updated { key { value: "k" } delta { pncounter { change: -3 } } }
            added { key { value: "l" } value { orset { items { value: "x" } } } }
        }"#,
        r#"ormap { entries: [
            { key { value: "k" } value { pncounter { value: -2 } } },
            { key { value: "l" } value { orset { items { value: "x" } } } }
        ] }"#,
    ),
    (
        "vote { votes_for: 1 total_voters: 1 self_vote: true }",
        "vote { self_vote: false votes_for: 0 total_voters: 1 }",
        "vote { total_voters: 1 }",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_created_changed_and_told_as_0_1_does() {
    for (minor_version, (created, change, state)) in [0, 1].into_iter().cycle().zip(TYPES) {
        let mut function = Function::start(minor_version).await;
        let (_proxy, client) = host_with(settings(function.address)).await;

        let call = act(&client);
        let mut stream = function.stream().await;
        assert_eq!(stream.next().await, in_(r#"init { service_name: "test.Sets" entity_id: "e1" }"#));
        let id = stream.command(false).await;
        stream.reply(id, "created", &format!("create {{ {created} }}"));
        assert_eq!(call.await.unwrap().reply(), "created");

        let call = act(&client);
        let id = stream.command(false).await;
        stream.reply(id, "changed", &format!("update {{ {change} }} write_consistency: 2"));
        assert_eq!(call.await.unwrap().reply(), "changed");

        let call = act(&client);
        stream.command(false).await;
        stream.fail();
        assert_eq!(call.await.unwrap().failure(), (Code::Unavailable, "Entity terminating"));

        let call = act(&client);
        let mut stream = function.stream().await;
        let init = format!(r#"init {{ service_name: "test.Sets" entity_id: "e1" state {{ {state} }} }}"#);
        assert_eq!(stream.next().await, in_(&init));
        let id = stream.command(false).await;
        stream.reply(id, "read", "");
        assert_eq!(call.await.unwrap().reply(), "read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_commands_cancellations_and_deletes_are_those_of_0_1() {
    let mut function = Function::start(1).await;
    let (proxy, client) = host_with(settings(function.address)).await;
    let mut call = StreamedCall::begin(serving(&proxy).await.listen, "test.Sets/Watch").await.ask("e1", "");
    let mut stream = function.stream().await;
    stream.next().await;
    let id = stream.command(true).await;
    stream.send(&format!("reply {{ command_id: {id} streamed: true {} }}", says("first")));
    assert_eq!(call.reply().await, "first");
    stream.send(&format!("streamed_message {{ command_id: {id} {} }}", says("second")));
    assert_eq!(call.reply().await, "second");

    drop(call);
    assert_eq!(stream.next().await, in_(&format!(r#"stream_cancelled {{ entity_id: "e1" id: {id} }}"#)));
    let change = "state_action { create { pncounter { value: 5 } } }";
    stream.send(&format!("stream_cancelled_response {{ command_id: {id} {change} }}"));

    let call = act(&client);
    let id = stream.command(false).await;
    stream.reply(id, "gone", "delete {}");
    assert_eq!(call.await.unwrap().reply(), "gone");
    assert_eq!(act(&client).await.unwrap().failure(), (Code::NotFound, "Entity deleted"));
}

/// Calls `test.Sets/Do`.
fn act(client: &Client) -> JoinHandle<Answer> {
    let client = client.clone();
    tokio::spawn(async move { client.call("test.Sets/Do", "e1", "").await })
}

/// A user function of protocol 0.1 with the contract of the other tests.
struct Function {
    address: SocketAddr,
    streams: mpsc::UnboundedReceiver<OldStream>,
}

impl Function {
    async fn start(minor_version: i32) -> Self {
        let (seen, streams) = mpsc::unbounded_channel();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut spec = spec();
        spec.service_info.as_mut().unwrap().protocol_minor_version = minor_version;
        let server = Server::builder()
            .add_service(EntityDiscoveryServer::new(Discovery(spec)))
            .add_service(CrdtService(seen))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        Self { address, streams }
    }

    async fn stream(&mut self) -> OldStream {
        soon("a stream", self.streams.recv()).await.unwrap()
    }
}

struct OldStream {
    inbound: Streaming<Bytes>,
    outbound: mpsc::UnboundedSender<Result<Bytes, Status>>,
}

impl OldStream {
    async fn next(&mut self) -> DynamicMessage {
        let bytes = soon("a message", self.inbound.next()).await.unwrap().unwrap();
        let descriptor = MESSAGES.get_message_by_name("old.In").unwrap();
        DynamicMessage::decode(descriptor, bytes).unwrap()
    }

    /// The id of the next message, which is a command.
    async fn command(&mut self, streamed: bool) -> i64 {
        let message = self.next().await;
        let command = message.get_field_by_name("command").unwrap().as_message().unwrap().clone();
        assert_eq!(command.get_field_by_name("entity_id").unwrap().as_str(), Some("e1"), "{message}");
        assert_eq!(command.get_field_by_name("streamed").unwrap().as_bool(), Some(streamed), "{message}");
        command.get_field_by_name("id").unwrap().as_i64().unwrap()
    }

    fn reply(&self, id: i64, text: &str, state_action: &str) {
        self.send(&format!("reply {{ command_id: {id} {} state_action {{ {state_action} }} }}", says(text)));
    }

    fn send(&self, out: &str) {
        let _ = self.outbound.send(Ok(message("old.Out", out).encode_to_vec().into()));
    }

    /// Ends it with an error.
    fn fail(&self) {
        let _ = self.outbound.send(Err(Status::internal("on purpose")));
    }
}

/// A `client_action` with a reply of the type `test.Reply`.
fn says(text: &str) -> String {
    let value = Reply { text: text.to_owned() }.encode_to_vec();
    let payload = format!(r#"type_url: "type.googleapis.com/test.Reply" value: "{}""#, value.escape_ascii());
    format!("client_action {{ reply {{ payload {{ {payload} }} }} }}")
}

static MESSAGES: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(&*compile(&[("old.proto", PROTOCOL)])).unwrap());

/// A message of the proxy.
fn in_(text: &str) -> DynamicMessage {
    message("old.In", text)
}

fn message(name: &str, text: &str) -> DynamicMessage {
    let descriptor = MESSAGES.get_message_by_name(name).unwrap();
    DynamicMessage::parse_text_format(descriptor, text).unwrap()
}

struct Discovery(EntitySpec);

#[tonic::async_trait]
impl EntityDiscovery for Discovery {
    async fn discover(&self, _: Request<ProxyInfo>) -> Result<Response<EntitySpec>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn report_error(&self, _: Request<UserFunctionError>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }
}

/// `cloudstate.crdt.Crdt`, whose messages are bytes.
#[derive(Clone)]
struct CrdtService(mpsc::UnboundedSender<OldStream>);

impl NamedService for CrdtService {
    const NAME: &'static str = "cloudstate.crdt.Crdt";
}

impl Service<HttpRequest<Body>> for CrdtService {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(Grpc::new(AsBytes).streaming(service, request).await) })
    }
}

impl StreamingService<Bytes> for CrdtService {
    type Response = Bytes;
    type ResponseStream = UnboundedReceiverStream<Result<Bytes, Status>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (outbound, messages) = mpsc::unbounded_channel();
        let _ = self.0.send(OldStream { inbound: request.into_inner(), outbound });
        futures_util::future::ok(Response::new(UnboundedReceiverStream::new(messages)))
    }
}

struct AsBytes;

impl Codec for AsBytes {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsBytes {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.put(item);
        Ok(())
    }
}

impl Decoder for AsBytes {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buf.copy_to_bytes(buf.remaining())))
    }
}

//! A user function that never answers some of its entities: the contract of the other one, by hand.

use std::{net::SocketAddr, pin::Pin};

use cloudstate_proto::{
    Any, ClientAction, EntitySpec, ProxyInfo, Reply, UserFunctionError,
    client_action::Action,
    entity_discovery_client::EntityDiscoveryClient,
    entity_discovery_server::{EntityDiscovery, EntityDiscoveryServer},
    eventsourced::{
        EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
        event_sourced_server::{EventSourced, EventSourcedServer},
        event_sourced_stream_in::Message as In,
        event_sourced_stream_out::Message as Out,
    },
};
use crash_recovery::user_function;
use futures_util::{Stream, StreamExt, stream};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Channel, Server},
};

/// Entities whose names begin so get no answer.
pub(crate) const STUCK: &str = "stuck";

/// Serves event sourced entities as long as the test's runtime lives. Each reply says nothing and stores nothing.
pub(crate) async fn start() -> SocketAddr {
    let spec = contract().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .add_service(EntityDiscoveryServer::new(Discovery(spec)))
        .add_service(EventSourcedServer::new(Entities));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// What the user function of this crate declares about its event sourced entity.
async fn contract() -> EntitySpec {
    let server = user_function().address("127.0.0.1", 0).bind().await.unwrap();
    let address = format!("http://{}", server.address());
    let serving = tokio::spawn(server.serve_with_shutdown(std::future::pending()));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let mut discovery = EntityDiscoveryClient::new(channel);
    let mut spec = discovery.discover(ProxyInfo::default()).await.unwrap().into_inner();
    spec.entities.retain(|entity| entity.service_name == "crash.Ledger");
    serving.abort();
    spec
}

struct Discovery(EntitySpec);

#[tonic::async_trait]
impl EntityDiscovery for Discovery {
    async fn discover(&self, _: Request<ProxyInfo>) -> Result<Response<EntitySpec>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn report_error(&self, error: Request<UserFunctionError>) -> Result<Response<()>, Status> {
        panic!("the proxy complains: {}", error.into_inner().message)
    }
}

struct Entities;

#[tonic::async_trait]
impl EventSourced for Entities {
    type handleStream = Pin<Box<dyn Stream<Item = Result<EventSourcedStreamOut, Status>> + Send>>;

    async fn handle(
        &self,
        inbound: Request<Streaming<EventSourcedStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        let replies = stream::unfold(inbound.into_inner(), |mut inbound| async {
            loop {
                match inbound.next().await?.ok()?.message? {
                    In::Command(command) if command.entity_id.starts_with(STUCK) => {}
                    In::Command(command) => return Some((Ok(reply_to(command.id)), inbound)),
                    In::Init(_) | In::Event(_) => {}
                }
            }
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

/// An empty message, which is what `Put` answers and a `Marks` without marks.
fn reply_to(command_id: i64) -> EventSourcedStreamOut {
    let payload = Any { type_url: "type.googleapis.com/google.protobuf.Empty".to_owned(), ..Any::default() };
    let reply = Reply { payload: Some(payload), metadata: None };
    let client_action = Some(ClientAction { action: Some(Action::Reply(reply)) });
    let reply = EventSourcedReply { command_id, client_action, ..EventSourcedReply::default() };
    EventSourcedStreamOut { message: Some(Out::Reply(reply)) }
}

//! Over a socket, as a proxy comes.

use std::time::Duration;

use cloudstate_proto::crdt::crdt_client::CrdtClient;
use cloudstate_proto::crdt::{
    CrdtDelete, CrdtInit, CrdtStreamIn, CrdtStreamOut, crdt_stream_in::Message as In,
    crdt_stream_out::Message as Out,
};
use cloudstate_proto::entity_discovery_client::EntityDiscoveryClient;
use cloudstate_proto::{Command, ProxyInfo, entity_type};
use cloudstate_sdk::CloudState;
use cloudstate_sdk::crdt::CrdtValue;
use prost::Name;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::contract::Presence;
use crate::contract::com::example::presence::Visit;

async fn user_function() -> Channel {
    let server = CloudState::new().register::<Presence>().address("127.0.0.1", 0).bind().await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve_with_shutdown(std::future::pending()));
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

struct Entity {
    requests: Option<mpsc::UnboundedSender<CrdtStreamIn>>,
    replies: Streaming<CrdtStreamOut>,
}

impl Entity {
    async fn open() -> Self {
        let (requests, received) = mpsc::unbounded_channel();
        let mut client = CrdtClient::new(user_function().await);
        let replies = client.handle(UnboundedReceiverStream::new(received)).await.unwrap().into_inner();
        Self { requests: Some(requests), replies }
    }

    fn send(&self, message: In) {
        self.requests.as_ref().unwrap().send(CrdtStreamIn { message: Some(message) }).unwrap();
    }

    fn init(&self) {
        let service_name = "com.example.presence.Presence".into();
        self.send(In::Init(CrdtInit { service_name, entity_id: "kitchen".into(), delta: None }));
    }

    fn command(&self, id: i64, name: &str, user: &str) {
        let payload = Visit { room: "kitchen".into(), user: user.into() }.to_any();
        assert_eq!(payload.type_url, format!("type.googleapis.com/{}", Visit::full_name()));
        let (entity_id, name, streamed) = ("kitchen".into(), name.into(), name == "Watch");
        self.send(In::Command(Command {
            entity_id,
            id,
            name,
            payload: Some(payload),
            streamed,
            metadata: None,
        }));
    }

    async fn next(&mut self) -> Option<Result<Out, Status>> {
        let next = tokio::time::timeout(Duration::from_secs(120), self.replies.message()).await.unwrap();
        next.transpose().map(|message| message.map(|message| message.message.unwrap()))
    }
}

#[tokio::test]
async fn it_is_discovered_as_a_crdt() {
    let proxy = ProxyInfo { protocol_minor_version: 2, ..Default::default() };
    let mut client = EntityDiscoveryClient::new(user_function().await);
    let entities = client.discover(proxy).await.unwrap().into_inner().entities;
    assert_eq!(entities[0].entity_type, entity_type::CRDT);
    assert_eq!(entities[0].persistence_id, "com.example.presence.Presence");
}

#[tokio::test]
async fn messages_come_in_order_until_the_proxy_ends_the_stream() {
    let mut entity = Entity::open().await;
    entity.init();
    entity.command(1, "Watch", "");
    entity.command(2, "Enter", "ada");
    entity.command(3, "Leave", "bob");
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(match entity.next().await.unwrap().unwrap() {
            Out::Reply(reply) => ("reply", reply.command_id),
            Out::StreamedMessage(message) => ("message", message.command_id),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(order, [("reply", 1), ("reply", 2), ("message", 1), ("reply", 3)]);
    // With somebody still following.
    entity.requests = None;
    assert!(entity.next().await.is_none());
}

#[tokio::test]
async fn a_stream_may_begin_with_its_end() {
    let mut entity = Entity::open().await;
    entity.send(In::Delete(CrdtDelete {}));
    entity.requests = None;
    assert!(entity.next().await.is_none());
}

#[tokio::test]
async fn a_fault_is_the_last_message() {
    let mut entity = Entity::open().await;
    entity.init();
    entity.command(1, "Nonsense", "");
    let Some(Ok(Out::Failure(failure))) = entity.next().await else { panic!("no failure") };
    assert_eq!(failure.command_id, 1);
    assert!(entity.next().await.is_none());
}

//! The part of a proxy: starts a user function on a free port, and speaks the protocol with it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use cloudstate_proto::client_action::Action;
use cloudstate_proto::entity_discovery_client::EntityDiscoveryClient;
use cloudstate_proto::eventsourced::event_sourced_client::EventSourcedClient;
use cloudstate_proto::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot, EventSourcedStreamIn,
    EventSourcedStreamOut, event_sourced_stream_in, event_sourced_stream_out,
};
use cloudstate_proto::{self as proto, Any};
use cloudstate_sdk::{CloudState, Error};
use prost::{Message, Name};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A user function that is being served.
pub(crate) struct UserFunction {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<(), Error>>,
}

impl UserFunction {
    pub(crate) async fn start(cloud_state: CloudState) -> Self {
        let server = cloud_state.address("127.0.0.1", 0).bind().await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.serve_with_shutdown(async {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), served }
    }

    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn discovery(&self) -> EntityDiscoveryClient<Channel> {
        EntityDiscoveryClient::new(self.channel().await)
    }

    pub(crate) async fn entities(&self) -> EventSourcedClient<Channel> {
        EventSourcedClient::new(self.channel().await).max_decoding_message_size(64 << 20)
    }

    /// Opens the stream of an entity and sends its init.
    pub(crate) async fn entity(&self, service: &str, id: &str) -> Entity {
        let mut entity = Entity::open(&mut self.entities().await).await;
        entity.init(service, id, None);
        entity
    }

    pub(crate) fn begin_shutdown(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub(crate) async fn stopped(self) {
        within(self.served).await.unwrap().unwrap();
    }
}

/// One stream of the proxy.
pub(crate) struct Entity {
    id: String,
    requests: Option<mpsc::UnboundedSender<EventSourcedStreamIn>>,
    pub(crate) replies: Streaming<EventSourcedStreamOut>,
}

impl Entity {
    pub(crate) async fn open(client: &mut EventSourcedClient<Channel>) -> Self {
        Self::open_with(client, None).await
    }

    pub(crate) async fn open_with(
        client: &mut EventSourcedClient<Channel>,
        extensions: Option<&'static str>,
    ) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(receiver));
        if let Some(extensions) = extensions {
            request.metadata_mut().insert(proto::EXTENSIONS_HEADER, MetadataValue::from_static(extensions));
        }
        // Returns as soon as the response headers are here, before anything was sent.
        let replies = within(client.handle(request)).await.unwrap().into_inner();
        Self { id: String::new(), requests: Some(requests), replies }
    }

    pub(crate) fn init(&mut self, service: &str, id: &str, snapshot: Option<(i64, Any)>) {
        self.id = id.into();
        let snapshot = snapshot.map(|(snapshot_sequence, snapshot)| EventSourcedSnapshot {
            snapshot_sequence,
            snapshot: Some(snapshot),
        });
        self.send(event_sourced_stream_in::Message::Init(EventSourcedInit {
            service_name: service.into(),
            entity_id: id.into(),
            snapshot,
        }));
    }

    pub(crate) fn event(&mut self, sequence: i64, payload: Any) {
        let payload = Some(payload);
        self.send(event_sourced_stream_in::Message::Event(EventSourcedEvent { sequence, payload }));
    }

    pub(crate) fn command(&mut self, id: i64, name: &str, payload: Any) {
        self.send(event_sourced_stream_in::Message::Command(proto::Command {
            entity_id: self.id.clone(),
            id,
            name: name.into(),
            payload: Some(payload),
            ..Default::default()
        }));
    }

    pub(crate) fn send(&mut self, message: event_sourced_stream_in::Message) {
        self.send_raw(EventSourcedStreamIn { message: Some(message) });
    }

    pub(crate) fn send_raw(&mut self, message: EventSourcedStreamIn) {
        // A stream that the user function has ended takes nothing more.
        let _ = self.requests.as_ref().unwrap().send(message);
    }

    pub(crate) fn half_close(&mut self) {
        self.requests = None;
    }

    pub(crate) async fn next(&mut self) -> Result<Option<EventSourcedStreamOut>, Status> {
        within(self.replies.message()).await
    }

    pub(crate) async fn reply(&mut self) -> EventSourcedReply {
        match self.next().await.unwrap().and_then(|out| out.message) {
            Some(event_sourced_stream_out::Message::Reply(reply)) => reply,
            other => panic!("expected a reply, got {other:?}"),
        }
    }

    /// The failure that ends the stream, which must then complete well.
    pub(crate) async fn fault(&mut self) -> proto::Failure {
        let failure = match self.next().await.unwrap().and_then(|out| out.message) {
            Some(event_sourced_stream_out::Message::Failure(failure)) => failure,
            other => panic!("expected a failure, got {other:?}"),
        };
        self.expect_end().await;
        failure
    }

    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.next().await.unwrap(), None);
    }
}

pub(crate) fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec().into() }
}

pub(crate) fn reply_message<M: Message + Name + Default>(reply: &EventSourcedReply) -> M {
    match action(reply) {
        Action::Reply(reply) => {
            assert_eq!(reply.metadata, None);
            let payload = reply.payload.as_ref().unwrap();
            assert_eq!(payload.type_url, M::type_url());
            M::decode(payload.value.clone()).unwrap()
        }
        other => panic!("expected a reply, got {other:?}"),
    }
}

pub(crate) fn refusal(reply: &EventSourcedReply) -> &proto::Failure {
    match action(reply) {
        Action::Failure(failure) => {
            assert_eq!(failure.command_id, reply.command_id);
            assert_eq!(
                (&reply.side_effects[..], &reply.events[..], &reply.snapshot),
                (&[][..], &[][..], &None)
            );
            failure
        }
        other => panic!("expected a failure, got {other:?}"),
    }
}

pub(crate) fn action(reply: &EventSourcedReply) -> &Action {
    reply.client_action.as_ref().unwrap().action.as_ref().unwrap()
}

/// Fails a test that waits for what does not come.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("waited too long")
}

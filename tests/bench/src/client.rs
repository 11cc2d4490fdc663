//! Many entities that each send a command, wait for the reply, and send the next.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cloudstate_proto::{
    Any, Command,
    eventsourced::{EventSourcedInit, EventSourcedStreamIn, event_sourced_stream_in::Message as In},
};
use http::uri::PathAndQuery;
use prost::{Message, Name};
use tokio::{sync::mpsc, task::JoinSet, time};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Streaming,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use crate::{Error, counter::bench::By};

/// What any HTTP/2 server must be assumed to allow.
const STREAMS_PER_CONNECTION: usize = 100;

/// How long a server may take to accept a connection, or a stream.
const PATIENCE: Duration = Duration::from_secs(10);

/// The entities and their streams.
pub(crate) struct Client {
    entities: Vec<Entity>,
}

/// What a turn brought.
pub(crate) struct Turn {
    pub(crate) per_second: f64,
    /// Of each command, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Client {
    pub(crate) async fn connect(port: u16, entities: u32) -> Result<Self, Error> {
        let ids: Vec<_> = (0..entities).map(|number| format!("counter-{number}")).collect();
        let mut client = Self { entities: Vec::new() };
        for ids in ids.chunks(STREAMS_PER_CONNECTION) {
            let channel = connection(port).await?;
            for id in ids {
                client.entities.push(Entity::open(channel.clone(), id.clone()).await?);
            }
        }
        Ok(client)
    }

    /// Lets all entities send commands for this long.
    pub(crate) async fn run(&mut self, duration: Duration) -> Result<Turn, Error> {
        let start = Instant::now();
        let until = start + duration;
        let mut running = JoinSet::new();
        for entity in self.entities.drain(..) {
            running.spawn(entity.run(until));
        }
        let mut latencies = Vec::new();
        while let Some(done) = running.join_next().await {
            let (entity, of_entity) = done??;
            self.entities.push(entity);
            latencies.extend(of_entity);
        }
        let per_second = latencies.len() as f64 / start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        Ok(Turn { per_second, latencies })
    }
}

async fn connection(port: u16) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    Ok(endpoint.tcp_nodelay(true).connect_timeout(PATIENCE).connect().await?)
}

/// An entity's stream. Between turns no command is outstanding.
struct Entity {
    id: String,
    last_command: i64,
    payload: Any,
    requests: mpsc::Sender<EventSourcedStreamIn>,
    replies: Streaming<Out>,
}

impl Entity {
    async fn open(channel: Channel, id: String) -> Result<Self, Error> {
        let (requests, outbound) = mpsc::channel(1);
        let init = EventSourcedInit {
            service_name: "bench.Counter".to_owned(),
            entity_id: id.clone(),
            snapshot: None,
        };
        requests.send(EventSourcedStreamIn { message: Some(In::Init(init)) }).await?;
        let mut grpc = Grpc::new(channel);
        grpc.ready().await?;
        let path = PathAndQuery::from_static("/cloudstate.eventsourced.EventSourced/handle");
        let request = Request::new(ReceiverStream::new(outbound));
        let replies = time::timeout(PATIENCE, grpc.streaming(request, path, ProstCodec::default())).await??;
        let by = By { id: id.clone(), amount: 1 };
        let payload = Any { type_url: By::type_url(), value: by.encode_to_vec().into() };
        Ok(Self { id, last_command: 0, payload, requests, replies: replies.into_inner() })
    }

    async fn run(mut self, until: Instant) -> Result<(Self, Vec<Duration>), Error> {
        let mut latencies = Vec::new();
        let mut sent = Instant::now();
        while sent < until {
            self.send().await?;
            self.receive().await?;
            let received = Instant::now();
            latencies.push(received - sent);
            sent = received;
        }
        Ok((self, latencies))
    }

    async fn send(&mut self) -> Result<(), Error> {
        self.last_command += 1;
        let command = Command {
            entity_id: self.id.clone(),
            id: self.last_command,
            name: "Increase".to_owned(),
            payload: Some(self.payload.clone()),
            ..Command::default()
        };
        Ok(self.requests.send(EventSourcedStreamIn { message: Some(In::Command(command)) }).await?)
    }

    async fn receive(&mut self) -> Result<(), Error> {
        match self.replies.message().await? {
            Some(Out { reply: Some(reply), .. })
                if reply.command_id == self.last_command && reply.events.len() == 1 =>
            {
                Ok(())
            }
            other => Err(format!("command {} of {} got {other:?}", self.last_command, self.id).into()),
        }
    }
}

/// `EventSourcedStreamOut`, with all that the client does not look at left encoded.
#[derive(Clone, PartialEq, Message)]
struct Out {
    #[prost(message, optional, tag = "1")]
    reply: Option<OutReply>,
    #[prost(bytes = "bytes", tag = "2")]
    failure: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct OutReply {
    #[prost(int64, tag = "1")]
    command_id: i64,
    #[prost(bytes = "bytes", tag = "2")]
    client_action: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "4")]
    events: Vec<Bytes>,
}

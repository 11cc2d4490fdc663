//! Entity streams, spread over connections.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use cloudstate_proto::{
    EXTENSIONS_HEADER, STATUS_CODE_EXTENSION,
    client_action::Action,
    eventsourced::{EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_stream_out::Message as Out},
};
use http::uri::PathAndQuery;
use tokio::sync::{Mutex, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, client::Grpc, metadata::MetadataValue};

use super::{Connection, Dial, codec::SmallBufferCodec};

/// What any HTTP/2 server must be assumed to allow on one connection.
const STREAMS_PER_CONNECTION: usize = 100;
/// Messages that may wait to be written to one stream.
const OUTBOUND_MESSAGES: usize = 16;

const EVENT_SOURCED: PathAndQuery = PathAndQuery::from_static("/cloudstate.eventsourced.EventSourced/handle");

/// Opens entity streams, at most [`STREAMS_PER_CONNECTION`] on one connection.
pub(crate) struct Pool {
    dial: Dial,
    max_message_size: usize,
    /// Whether the user function agreed to send status codes.
    status_codes: AtomicBool,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    open: Vec<Pooled>,
    /// When the last attempt failed, and why: it answers everybody who waited for it.
    failed: Option<(Instant, io::ErrorKind, String)>,
}

struct Pooled {
    connection: Connection,
    streams: Arc<AtomicUsize>,
}

/// One open stream; it counts against its connection until it is dropped.
pub(crate) struct EntityStream {
    /// Our side. Dropping it half-closes the stream.
    pub(crate) outbound: Option<mpsc::Sender<EventSourcedStreamIn>>,
    inbound: Inbound,
    status_codes: bool,
    _lease: Lease,
}

#[allow(clippy::large_enum_variant, reason = "it is the large one nearly all the time")]
enum Inbound {
    /// The response headers have not come yet; the user function may wait for our first message.
    Opening(tonic::codegen::BoxFuture<tonic::Response<Streaming<EventSourcedStreamOut>>, Status>),
    Open(Streaming<EventSourcedStreamOut>),
}

struct Lease(Arc<AtomicUsize>);

impl Pool {
    pub(crate) fn new(dial: Dial, max_message_size: usize) -> Self {
        let status_codes = AtomicBool::new(false);
        Self { dial, max_message_size, status_codes, connections: Mutex::default() }
    }

    /// What discovery agreed on; holds for streams opened from now on.
    pub(crate) fn set_status_codes(&self, agreed: bool) {
        self.status_codes.store(agreed, Ordering::Relaxed);
    }

    /// Opens a stream for an event sourced entity.
    pub(crate) async fn open_event_sourced(&self) -> io::Result<EntityStream> {
        let (connection, lease) = self.lease().await?;
        let (outbound, messages) = mpsc::channel(OUTBOUND_MESSAGES);
        let max_message_size = self.max_message_size;
        let status_codes = self.status_codes.load(Ordering::Relaxed);
        let mut request = Request::new(ReceiverStream::new(messages));
        if status_codes {
            // A user function cannot know which `discover` a stream belongs to, so each stream says it again.
            let extension = MetadataValue::from_static(STATUS_CODE_EXTENSION);
            request.metadata_mut().insert(EXTENSIONS_HEADER, extension);
        }
        let opening = async move {
            let origin = connection.origin();
            let mut grpc = Grpc::with_origin(connection, origin).max_decoding_message_size(max_message_size);
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            grpc.streaming(request, EVENT_SOURCED, SmallBufferCodec::default()).await
        };
        Ok(EntityStream {
            outbound: Some(outbound),
            inbound: Inbound::Opening(Box::pin(opening)),
            status_codes,
            _lease: lease,
        })
    }

    /// A place on a connection; a new connection when all are full.
    async fn lease(&self) -> io::Result<(Connection, Lease)> {
        let asked = Instant::now();
        let mut connections = self.connections.lock().await;
        while let Some(at) = connections.least_loaded() {
            let Pooled { connection, streams } = &connections.open[at];
            if connection.is_open().await {
                return Ok((connection.clone(), Lease::take(streams)));
            }
            connections.open.swap_remove(at);
        }
        if let Some((at, kind, why)) = &connections.failed
            && *at > asked
        {
            return Err(io::Error::new(*kind, why.clone()));
        }
        let connection = self.dial.connect().await.inspect_err(|error| {
            connections.failed = Some((Instant::now(), error.kind(), error.to_string()));
        })?;
        let pooled = Pooled { connection: connection.clone(), streams: Arc::default() };
        let lease = Lease::take(&pooled.streams);
        connections.open.push(pooled);
        Ok((connection, lease))
    }
}

impl Connections {
    /// The place of the connection with the fewest streams, if it has room.
    fn least_loaded(&mut self) -> Option<usize> {
        self.open.retain(|pooled| !pooled.connection.is_closed());
        let loads = self.open.iter().map(|pooled| pooled.streams.load(Ordering::Relaxed)).enumerate();
        let (at, load) = loads.min_by_key(|(_, load)| *load)?;
        (load < STREAMS_PER_CONNECTION).then_some(at)
    }
}

impl Lease {
    fn take(streams: &Arc<AtomicUsize>) -> Self {
        streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(streams))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl EntityStream {
    /// The next message of the user function; none when it completed its side with OK. Cancel safe.
    pub(crate) async fn message(&mut self) -> Result<Option<EventSourcedStreamOut>, Status> {
        if let Inbound::Opening(opening) = &mut self.inbound {
            self.inbound = Inbound::Open(opening.as_mut().await?.into_inner());
        }
        let Inbound::Open(stream) = &mut self.inbound else { return Ok(None) };
        let mut message = stream.message().await?;
        if let Some(message) = &mut message
            && !self.status_codes
        {
            forget_status_code(message);
        }
        Ok(message)
    }
}

/// Field 4 of a failure means something only between peers that agreed on it.
fn forget_status_code(message: &mut EventSourcedStreamOut) {
    let failure = match &mut message.message {
        Some(Out::Failure(failure)) => Some(failure),
        Some(Out::Reply(reply)) => {
            match reply.client_action.as_mut().and_then(|action| action.action.as_mut()) {
                Some(Action::Failure(failure)) => Some(failure),
                _ => None,
            }
        }
        None => None,
    };
    if let Some(failure) = failure {
        failure.grpc_status_code = 0;
    }
}

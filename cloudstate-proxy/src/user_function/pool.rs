//! Streams and calls, spread over connections.
//!
//! A peer may give all streams of a connection together no more room than one of them. Then an action that does not read
//! the stream of requests it was sent stops whatever shares its connection. So such calls have connections of their own,
//! each one as long as there are not too many.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloudstate_proto::action::{ActionCommand, ActionResponse};
use futures_util::{Stream, StreamExt};
use http::uri::PathAndQuery;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, client::Grpc};

use super::{Connection, Dial, EntityProtocol, EntityStream, Extensions, codec::SmallBufferCodec};
use crate::service_catalog::CrdtProtocol;

/// What any HTTP/2 server must be assumed to allow on one connection; one that allows less says so.
pub(super) const STREAMS_PER_CONNECTION: usize = 100;
/// Messages that may wait to be written to one stream.
const OUTBOUND_MESSAGES: usize = 16;
/// So many connections for streams of requests stay open with nothing to carry.
const SPARE_CONNECTIONS: usize = 4;

/// What a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Entities, and calls with one request.
    Main,
    /// Calls with streams of requests.
    Requests,
}

impl Lane {
    const COUNT: usize = 2;
}

/// Opens streams and lends connections: at most [`STREAMS_PER_CONNECTION`] on one connection, and no more connections
/// than the settings allow. Who finds no room, or no user function, waits.
pub(crate) struct Pool {
    dial: Dial,
    limits: PoolLimits,
    agreed: Mutex<Agreed>,
    connections: Arc<Mutex<Connections>>,
    /// Told of every place that gets free in a lane.
    freed: [Arc<Notify>; Lane::COUNT],
    /// Whoever holds it may connect; the others wait for what comes of it.
    dialing: tokio::sync::Mutex<Backoff>,
}

/// How the user function is spoken to, as discovery said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Agreed {
    pub(crate) extensions: Extensions,
    pub(crate) crdts: CrdtProtocol,
}

/// The bounds of a [`Pool`].
#[derive(Clone, Debug)]
pub(crate) struct PoolLimits {
    /// Of the main lane; a quarter as many more are for streams of requests.
    pub(crate) max_connections: usize,
    pub(crate) max_message_size: usize,
    pub(crate) backoff_min: Duration,
    pub(crate) backoff_max: Duration,
}

#[derive(Default)]
struct Connections {
    open: Vec<Pooled>,
    /// A connection was lost soon after it was opened.
    lost_early: bool,
    /// Why there is no user function, while there is none.
    unreachable: Option<String>,
}

struct Pooled {
    connection: Connection,
    lane: Lane,
    streams: Arc<AtomicUsize>,
    since: Instant,
}

/// Why nobody could be asked.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("the user function is not reachable: {0}")]
    Away(String),
    #[error("all connections to the user function are in use")]
    Busy,
}

impl Pool {
    pub(crate) fn new(dial: Dial, limits: PoolLimits) -> Self {
        let pause = limits.backoff_min;
        Self {
            dial,
            limits,
            agreed: Mutex::default(),
            connections: Arc::default(),
            freed: Default::default(),
            dialing: tokio::sync::Mutex::new(Backoff { pause, not_before: None, connected: true }),
        }
    }

    /// Holds for streams and calls opened from now on.
    pub(crate) fn set_agreed(&self, agreed: Agreed) {
        *self.agreed.lock().unwrap_or_else(PoisonError::into_inner) = agreed;
    }

    fn agreed(&self) -> Agreed {
        *self.agreed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a stream for an entity. Waits as long as there is no user function, or no room: the caller keeps the time,
    /// and asks [`Self::unreachable`] what it waited for.
    pub(crate) async fn open<P: EntityProtocol>(&self) -> EntityStream<P> {
        let place = self.place(Lane::Main).await;
        let (outbound, messages) = mpsc::channel::<Box<P::In>>(OUTBOUND_MESSAGES);
        let Agreed { extensions, crdts } = self.agreed();
        let messages = ReceiverStream::new(messages).map(move |mut message| {
            // The metadata of a command to an entity means something only between peers that agreed on it.
            if !extensions.trace_context
                && let Some(command) = P::command_in(&mut message)
            {
                command.metadata = None;
            }
            *message
        });
        let request = request(messages, extensions);
        let mut grpc = Grpc::with_origin(place.connection.clone(), place.connection.origin())
            .max_decoding_message_size(self.limits.max_message_size);
        let opening = async move {
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            grpc.streaming(request, P::PATH, P::codec(crdts)).await
        };
        EntityStream::new(outbound, Box::pin(opening), extensions.status_codes, place)
    }

    /// A connection for one call of an action, whichever its shape.
    ///
    /// # Errors
    ///
    /// There was none until `deadline`.
    pub(crate) async fn action_call(&self, lane: Lane, deadline: Instant) -> Result<ActionCall, Unreachable> {
        let place = tokio::time::timeout_at(deadline, self.place(lane)).await;
        Ok(ActionCall {
            place: place.map_err(|_| self.unreachable_in(lane))?,
            max_message_size: self.limits.max_message_size,
            extensions: self.agreed().extensions,
        })
    }

    /// What those wait for who wait for an entity stream.
    pub(crate) fn unreachable(&self) -> Unreachable {
        self.unreachable_in(Lane::Main)
    }

    fn unreachable_in(&self, lane: Lane) -> Unreachable {
        let connections = self.connections();
        match &connections.unreachable {
            Some(reason) => Unreachable::Away(reason.clone()),
            None if connections.of(lane).count() < self.limits.connections(lane) => {
                Unreachable::Away("the connection was not made in time".to_owned())
            }
            None => Unreachable::Busy,
        }
    }

    /// A place on a connection that takes new streams.
    async fn place(&self, lane: Lane) -> Place {
        loop {
            let place = match self.free_place(lane) {
                Some(place) => place,
                None => self.next_place(lane).await,
            };
            if place.connection.is_open() {
                return place;
            }
            self.connections().forget(&place, self.limits.backoff_max);
        }
    }

    async fn next_place(&self, lane: Lane) -> Place {
        loop {
            let mut freed = std::pin::pin!(self.freed[lane as usize].notified());
            // From here on nothing that gets free is missed.
            freed.as_mut().enable();
            if let Some(place) = self.free_place(lane) {
                return place;
            }
            if self.connections().of(lane).count() < self.limits.connections(lane) {
                self.connect(lane).await;
            } else {
                freed.await;
            }
        }
    }

    /// The place on the connection with the fewest streams, if one has room.
    fn free_place(&self, lane: Lane) -> Option<Place> {
        let mut connections = self.connections();
        connections.forget_lost(self.limits.backoff_max);
        let may_connect = connections.of(lane).count() < self.limits.connections(lane);
        let emptiest = connections.of(lane).min_by_key(|pooled| pooled.load())?;
        let limit = if lane == Lane::Requests && may_connect { 1 } else { emptiest.limit() };
        let has_room = emptiest.load() < limit;
        has_room.then(|| Place::take(emptiest, &self.connections, &self.freed[lane as usize]))
    }

    /// Makes one attempt to add a connection, unless somebody else just did.
    async fn connect(&self, lane: Lane) {
        let mut backoff = self.dialing.lock().await;
        if self.free_place(lane).is_some() {
            return;
        }
        let lost_early = std::mem::take(&mut self.connections().lost_early);
        backoff.pause(&self.limits, lost_early).await;
        let connected = self.dial.connect().await;
        backoff.note(connected.is_ok());
        let mut connections = self.connections();
        match connected {
            Ok(connection) => {
                connections.unreachable = None;
                let (streams, since) = (Arc::default(), Instant::now());
                connections.open.push(Pooled { connection, lane, streams, since });
            }
            Err(error) => connections.unreachable = Some(error.to_string()),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        lock(&self.connections)
    }
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    // Nothing that runs under the lock can leave the list half-changed.
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PoolLimits {
    fn connections(&self, lane: Lane) -> usize {
        match lane {
            Lane::Main => self.max_connections,
            Lane::Requests => self.max_connections.div_ceil(4),
        }
    }
}

impl Connections {
    fn of(&self, lane: Lane) -> impl Iterator<Item = &Pooled> {
        self.open.iter().filter(move |pooled| pooled.lane == lane)
    }

    /// Forgets what takes no new streams. A connection that is there still goes on with those it has.
    fn forget_lost(&mut self, early: Duration) {
        let Self { open, lost_early, .. } = self;
        open.retain(|pooled| {
            let closed = pooled.connection.is_closed();
            *lost_early |= closed && pooled.since.elapsed() < early;
            !closed && !pooled.connection.is_stalled()
        });
    }

    /// A connection that takes no more streams; those it has may go on.
    fn forget(&mut self, place: &Place, early: Duration) {
        let at = self.open.iter().position(|pooled| Arc::ptr_eq(&pooled.streams, &place.streams));
        if let Some(at) = at {
            self.lost_early |= self.open.swap_remove(at).since.elapsed() < early;
        }
    }

    /// Closes connections for streams of requests that carry nothing, but for a few.
    fn close_spare(&mut self) {
        let mut spare = 0;
        self.open.retain(|pooled| {
            let is_spare = pooled.lane == Lane::Requests && pooled.load() == 0;
            spare += usize::from(is_spare);
            !is_spare || spare <= SPARE_CONNECTIONS
        });
    }
}

impl Pooled {
    fn load(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    fn limit(&self) -> usize {
        self.connection.max_streams().min(STREAMS_PER_CONNECTION)
    }
}

/// The pauses between attempts to connect, as long as they fail or their connections do not last.
struct Backoff {
    pause: Duration,
    not_before: Option<Instant>,
    connected: bool,
}

impl Backoff {
    async fn pause(&mut self, limits: &PoolLimits, lost_early: bool) {
        if self.connected && !lost_early {
            self.pause = limits.backoff_min;
            return;
        }
        let until = *self.not_before.get_or_insert_with(|| Instant::now() + self.pause);
        tokio::time::sleep_until(until).await;
        self.not_before = None;
        self.pause = (self.pause * 2).clamp(limits.backoff_min, limits.backoff_max);
    }

    fn note(&mut self, connected: bool) {
        self.connected = connected;
    }
}

/// One of the streams that a connection may have; free again when it is dropped.
pub(super) struct Place {
    pub(super) connection: Connection,
    lane: Lane,
    streams: Arc<AtomicUsize>,
    connections: Arc<Mutex<Connections>>,
    freed: Arc<Notify>,
}

impl Place {
    fn take(pooled: &Pooled, connections: &Arc<Mutex<Connections>>, freed: &Arc<Notify>) -> Self {
        pooled.streams.fetch_add(1, Ordering::Relaxed);
        Self {
            connection: pooled.connection.clone(),
            lane: pooled.lane,
            streams: Arc::clone(&pooled.streams),
            connections: Arc::clone(connections),
            freed: Arc::clone(freed),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
        if self.lane == Lane::Requests {
            lock(&self.connections).close_spare();
        }
        self.freed.notify_one();
    }
}

/// A connection lent for one call of an action; keep it until the call is over.
pub(crate) struct ActionCall {
    place: Place,
    max_message_size: usize,
    extensions: Extensions,
}

impl ActionCall {
    /// Makes the call at `path`; resolves when the response headers have come. All four shapes look like this.
    pub(crate) async fn open(
        &self,
        path: PathAndQuery,
        commands: impl Stream<Item = ActionCommand> + Send + 'static,
    ) -> Result<Streaming<ActionResponse>, Status> {
        let connection = self.place.connection.clone();
        let origin = connection.origin();
        let mut grpc = Grpc::with_origin(connection, origin).max_decoding_message_size(self.max_message_size);
        // The error that has the reason as its source, for whoever asks whether the call was sent.
        grpc.ready().await.map_err(Status::from_error)?;
        let request = request(commands, self.extensions);
        Ok(grpc.streaming(request, path, SmallBufferCodec::default()).await?.into_inner())
    }

    /// Whether field 4 of a failure means something.
    pub(crate) fn status_codes(&self) -> bool {
        self.extensions.status_codes
    }

    /// Whether the connection takes new calls; no: what just failed, failed because the user function goes away.
    pub(crate) fn is_open(&self) -> bool {
        self.place.connection.is_open()
    }
}

/// A user function cannot know which `discover` a call belongs to, so each call says it again.
fn request<T>(message: T, extensions: Extensions) -> Request<T> {
    let mut request = Request::new(message);
    extensions.name_in(request.metadata_mut());
    request
}

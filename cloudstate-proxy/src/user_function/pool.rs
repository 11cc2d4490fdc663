//! Streams and calls, spread over connections.
//!
//! A peer may give all streams of a connection together no more room than one of them. Then an action that does not read
//! the stream of requests it was sent stops whatever shares its connection. So such calls have connections of their own,
//! each one as long as there are not too many.

mod backoff;
mod connections;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

pub(super) use self::connections::Place;
use self::{
    backoff::Backoff,
    connections::{Connections, lock},
};
use super::{ActionCall, Dial, EntityProtocol, EntityStream, Extensions};
use crate::service_catalog::CrdtProtocol;

/// What any HTTP/2 server must be assumed to allow on one connection; one that allows less says so.
pub(super) const STREAMS_PER_CONNECTION: usize = 100;

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
        let dialing = tokio::sync::Mutex::new(Backoff::new(&limits));
        Self {
            dial,
            limits,
            agreed: Mutex::default(),
            connections: Arc::default(),
            freed: Default::default(),
            dialing,
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
        EntityStream::open(place, self.agreed(), self.limits.max_message_size)
    }

    /// A connection for one call of an action, whichever its shape.
    ///
    /// # Errors
    ///
    /// There was none until `deadline`.
    pub(crate) async fn action_call(&self, lane: Lane, deadline: Instant) -> Result<ActionCall, Unreachable> {
        let place = tokio::time::timeout_at(deadline, self.place(lane)).await;
        let place = place.map_err(|_| self.unreachable_in(lane))?;
        Ok(ActionCall::new(place, self.agreed().extensions, self.limits.max_message_size))
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
                connections.add(connection, lane);
            }
            Err(error) => connections.unreachable = Some(error.to_string()),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        lock(&self.connections)
    }
}

impl PoolLimits {
    fn connections(&self, lane: Lane) -> usize {
        match lane {
            Lane::Main => self.max_connections,
            Lane::Requests => self.max_connections.div_ceil(4),
        }
    }
}

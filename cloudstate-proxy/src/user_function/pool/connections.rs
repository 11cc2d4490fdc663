//! The connections that are open, and the places on them.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{Lane, STREAMS_PER_CONNECTION};
use crate::user_function::Connection;

/// So many connections for streams of requests stay open with nothing to carry.
const SPARE_CONNECTIONS: usize = 4;

#[derive(Default)]
pub(super) struct Connections {
    open: Vec<Pooled>,
    /// A connection was lost soon after it was opened.
    pub(super) lost_early: bool,
    /// Why there is no user function, while there is none.
    pub(super) unreachable: Option<String>,
}

/// A connection that takes new streams.
pub(super) struct Pooled {
    connection: Connection,
    lane: Lane,
    streams: Arc<AtomicUsize>,
    since: Instant,
}

/// One of the streams that a connection may have; free again when it is dropped.
pub(crate) struct Place {
    pub(crate) connection: Connection,
    lane: Lane,
    streams: Arc<AtomicUsize>,
    connections: Arc<Mutex<Connections>>,
    freed: Arc<Notify>,
}

impl Connections {
    pub(super) fn add(&mut self, connection: Connection, lane: Lane) {
        self.open.push(Pooled { connection, lane, streams: Arc::default(), since: Instant::now() });
    }

    pub(super) fn of(&self, lane: Lane) -> impl Iterator<Item = &Pooled> {
        self.open.iter().filter(move |pooled| pooled.lane == lane)
    }

    /// Forgets what takes no new streams. A connection that is there still goes on with those it has.
    pub(super) fn forget_lost(&mut self, early: Duration) {
        let Self { open, lost_early, .. } = self;
        open.retain(|pooled| {
            let closed = pooled.connection.is_closed();
            *lost_early |= closed && pooled.since.elapsed() < early;
            !closed && !pooled.connection.is_stalled()
        });
    }

    /// A connection that takes no more streams; those it has may go on.
    pub(super) fn forget(&mut self, place: &Place, early: Duration) {
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
    pub(super) fn load(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    pub(super) fn limit(&self) -> usize {
        self.connection.max_streams().min(STREAMS_PER_CONNECTION)
    }
}

impl Place {
    pub(super) fn take(pooled: &Pooled, connections: &Arc<Mutex<Connections>>, freed: &Arc<Notify>) -> Self {
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

pub(super) fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    // Nothing that runs under the lock can leave the list half-changed.
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

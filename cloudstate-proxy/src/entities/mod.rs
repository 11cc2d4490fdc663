//! The live entities: at most one instance per entity id, each with a mailbox and a task of its own.

pub(crate) mod event_sourced;
mod mailbox;

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, watch};

pub(crate) use mailbox::Envelope;

use crate::{
    code::Code,
    routing::Failure,
    service_catalog::Service,
    storage::{EntityKey, Store},
    telemetry::metrics::Metrics,
    user_function::{ErrorReporter, Pool},
};

/// Locks are held for a map operation only; this many keep them apart.
const SHARDS: usize = 64;

/// Finds, starts and forgets entities.
pub(crate) struct Entities {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    environment: Arc<Environment>,
    draining: watch::Sender<bool>,
    /// Every task holds a clone; the receiver sees the last one go.
    alive: Mutex<Option<mpsc::Sender<()>>>,
    all_gone: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

type Shard = HashMap<EntityKey, mpsc::Sender<Envelope>>;

/// What every entity needs.
pub(crate) struct Environment {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) pool: Pool,
    pub(crate) reporter: ErrorReporter,
    pub(crate) metrics: Metrics,
    pub(crate) relay_timeout: Duration,
    pub(crate) passivation_timeout: Duration,
    pub(crate) stash_size: usize,
}

impl Entities {
    pub(crate) fn new(environment: Environment) -> Self {
        let (alive, all_gone) = mpsc::channel(1);
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            environment: Arc::new(environment),
            draining: watch::Sender::new(false),
            alive: Mutex::new(Some(alive)),
            all_gone: tokio::sync::Mutex::new(all_gone),
        }
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Gives `envelope` to the entity, which is started if it is not live.
    pub(crate) fn deliver(self: &Arc<Self>, key: EntityKey, service: &Arc<Service>, mut envelope: Envelope) {
        let mut shard = self.shard(&key);
        if let Some(mailbox) = shard.get(&key) {
            match mailbox.try_send(envelope) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(envelope)) => {
                    let text = "too many commands are already waiting for this entity";
                    return envelope.fail(Failure::new(Code::ResourceExhausted, text));
                }
                Err(mpsc::error::TrySendError::Closed(returned)) => envelope = returned,
            }
        }
        // Before `alive` is looked at, since `drain` takes that first: whoever gets it sees the drain.
        let draining = self.draining.subscribe();
        let Some(alive) = lock(&self.alive).clone() else {
            return envelope.fail(Failure::new(Code::Unavailable, "the proxy is stopping"));
        };
        let (mailbox, envelopes) = mpsc::channel(self.environment.stash_size.max(1));
        // The mailbox is new and has room.
        let _ = mailbox.try_send(envelope);
        shard.insert(key.clone(), mailbox);
        drop(shard);
        let task = mailbox::EntityTask::new(Arc::clone(self), key, service, envelopes, draining);
        tokio::spawn(async move {
            task.run().await;
            drop(alive);
        });
    }

    /// Forgets an entity whose mailbox is empty. Commands are delivered under the same lock, so none can slip
    /// in between; returns whether the entity is forgotten.
    fn retire(&self, key: &EntityKey, mailbox: &mpsc::Receiver<Envelope>) -> bool {
        let mut shard = self.shard(key);
        let empty = mailbox.is_empty();
        if empty {
            shard.remove(key);
        }
        empty
    }

    /// Lets every entity finish its commands and half-close its stream; resolves when all have.
    pub(crate) async fn drain(&self) {
        lock(&self.alive).take();
        self.draining.send_replace(true);
        let _ = self.all_gone.lock().await.recv().await;
    }

    fn shard(&self, key: &EntityKey) -> MutexGuard<'_, Shard> {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        lock(&self.shards[at])
    }
}

/// Nothing that runs under these locks can leave the map half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

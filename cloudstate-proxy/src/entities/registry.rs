//! Finds, starts and forgets entities.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, watch};

use super::{Envelope, Environment, crdt, mailbox};
use crate::{code::Code, routing::Failure, service_catalog::EntityKind, storage::EntityKey};

/// Locks are held for a map operation only; this many keep them apart.
const SHARDS: usize = 64;

/// All live entities.
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

/// What the task of one live entity holds. When the task ends, the entity must have [`retire`](Self::retire)d.
pub(crate) struct LiveEntity {
    pub(crate) key: EntityKey,
    pub(crate) mailbox: mpsc::Receiver<Envelope>,
    /// Becomes true when the proxy stops: what is here is finished, then the task ends.
    pub(crate) draining: watch::Receiver<bool>,
    entities: Arc<Entities>,
    _alive: mpsc::Sender<()>,
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

    pub(crate) fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// Gives `envelope` to the entity, which is started if it is not live.
    pub(crate) fn deliver(self: &Arc<Self>, key: EntityKey, mut envelope: Envelope) {
        let kind = envelope.method.service.kind;
        if !matches!(kind, EntityKind::EventSourced | EntityKind::Crdt) {
            return envelope.fail(Failure::new(Code::Unimplemented, "this kind of entity is not hosted yet"));
        }
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
        let (sender, mailbox) = mpsc::channel(self.environment.stash_size.max(1));
        // The mailbox is new and has room.
        let _ = sender.try_send(envelope);
        shard.insert(key.clone(), sender);
        drop(shard);
        start(kind, LiveEntity { key, mailbox, draining, entities: Arc::clone(self), _alive: alive });
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

/// Runs the task of an entity.
fn start(kind: EntityKind, entity: LiveEntity) {
    match kind {
        EntityKind::EventSourced => drop(tokio::spawn(mailbox::run(entity))),
        EntityKind::Crdt => drop(tokio::spawn(crdt::run(entity))),
        // Refused before an entity is made.
        EntityKind::Value | EntityKind::Action => {}
    }
}

impl LiveEntity {
    pub(crate) fn environment(&self) -> &Arc<Environment> {
        &self.entities.environment
    }

    /// Forgets this entity if its mailbox is empty. Commands are delivered under the same lock, so none can slip in
    /// between; returns whether the entity is forgotten.
    pub(crate) fn retire(&self) -> bool {
        let mut shard = self.entities.shard(&self.key);
        let empty = self.mailbox.is_empty();
        if empty {
            shard.remove(&self.key);
        }
        empty
    }
}

/// Nothing that runs under these locks can leave the map half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Finds, starts and forgets entities.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{sync::mpsc, time::Instant};

use super::{
    Envelope, Environment, crdt, serial,
    usage::Usage,
    wishes::{Wish, Wishes},
};
use crate::{
    error_code::ErrorCode,
    routing::Failure,
    service_catalog::EntityKind,
    storage::EntityKey,
    user_function::{EventSourced, Value},
};

/// Locks are held for a map operation only; this many keep them apart.
const SHARDS: usize = 64;
/// Of so many entities the least recently used one makes room for another.
const CANDIDATES: usize = 4096;

/// All live entities.
pub(crate) struct Entities {
    shards: Box<[Mutex<Shard>]>,
    /// How many are in the shards.
    live: AtomicUsize,
    started: Instant,
    hasher: RandomState,
    environment: Arc<Environment>,
    /// Entities that start from now on are asked to.
    completing_streams: AtomicBool,
    /// Every task holds a clone; the receiver sees the last one go.
    alive: Mutex<Option<mpsc::Sender<()>>>,
    all_gone: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

#[derive(Default)]
struct Shard(HashMap<EntityKey, Resident>);

/// A live entity as others see it.
struct Resident {
    mailbox: mpsc::Sender<Box<Envelope>>,
    usage: Arc<Usage>,
    wishes: Arc<Wishes>,
}

/// What the task of one live entity holds. When the task ends, the entity must have [`retire`](Self::retire)d.
pub(crate) struct LiveEntity {
    pub(crate) key: EntityKey,
    /// Boxed because a mailbox has room for dozens, even if there is never more than one in it.
    pub(crate) mailbox: mpsc::Receiver<Box<Envelope>>,
    pub(crate) wishes: Arc<Wishes>,
    usage: Arc<Usage>,
    entities: Arc<Entities>,
    _alive: mpsc::Sender<()>,
}

impl Entities {
    pub(crate) fn new(environment: Environment) -> Self {
        let (alive, all_gone) = mpsc::channel(1);
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            live: AtomicUsize::new(0),
            started: Instant::now(),
            hasher: RandomState::new(),
            environment: Arc::new(environment),
            completing_streams: AtomicBool::new(false),
            alive: Mutex::new(Some(alive)),
            all_gone: tokio::sync::Mutex::new(all_gone),
        }
    }

    pub(crate) fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// Gives `envelope` to the entity, which is started if it is not live.
    pub(crate) fn deliver(self: &Arc<Self>, key: EntityKey, envelope: Envelope) {
        let envelope = Box::new(envelope);
        let at = self.hasher.hash_one(&key) as usize % SHARDS;
        let Err(envelope) = self.shard(at).deliver(&key, envelope) else { return };
        if self.live.load(Ordering::Relaxed) >= self.environment.max_entities && !self.make_room(at) {
            let text = "too many entities are busy at once";
            return envelope.fail(Failure::new(ErrorCode::TooManyEntities, text));
        }
        self.start(at, key, envelope);
    }

    fn start(self: &Arc<Self>, at: usize, key: EntityKey, envelope: Box<Envelope>) {
        let mut shard = self.shard(at);
        // Somebody else may have started it meanwhile.
        let Err(envelope) = shard.deliver(&key, envelope) else { return };
        // `drain` takes that before it asks those in the shards: whoever gets it is asked.
        let Some(alive) = lock(&self.alive).clone() else {
            return envelope.fail(Failure::new(ErrorCode::Stopping, "the proxy is stopping"));
        };
        let kind = envelope.method.service.kind;
        let (sender, mailbox) = mpsc::channel(self.environment.stash_size.max(1));
        // The mailbox is new and has room.
        let _ = sender.try_send(envelope);
        let usage = Arc::new(Usage::new(self.started));
        let wishes = Arc::<Wishes>::default();
        if self.completing_streams.load(Ordering::Relaxed) {
            wishes.ask(Wish::CompleteStreams);
        }
        let resident = Resident { mailbox: sender, usage: Arc::clone(&usage), wishes: Arc::clone(&wishes) };
        if shard.0.insert(key.clone(), resident).is_none() {
            self.live.fetch_add(1, Ordering::Relaxed);
        }
        drop(shard);
        let entities = Arc::clone(self);
        let _alive = alive;
        spawn(kind, LiveEntity { key, mailbox, wishes, usage, entities, _alive });
    }

    /// Asks the least recently used entity to leave; looks into the shard `at` first. False if all are busy.
    fn make_room(&self, at: usize) -> bool {
        let mut oldest: Option<(u64, Arc<Usage>, Arc<Wishes>)> = None;
        let mut seen = 0;
        for offset in 0..SHARDS {
            let shard = self.shard((at + offset) % SHARDS);
            for Resident { mailbox, usage, wishes } in shard.0.values() {
                let Some(since) = usage.idle_since() else { continue };
                let older = oldest.as_ref().is_none_or(|(oldest, ..)| since < *oldest);
                if older && mailbox.capacity() == mailbox.max_capacity() {
                    oldest = Some((since, Arc::clone(usage), Arc::clone(wishes)));
                }
            }
            seen += shard.0.len();
            if seen >= CANDIDATES {
                break;
            }
        }
        let Some((_, _, wishes)) = oldest.filter(|(since, usage, _)| usage.crowd_out(*since)) else {
            return false;
        };
        wishes.ask(Wish::Leave);
        true
    }

    /// Completes the streams of clients that listen to an entity, which would go on for ever; all else goes on.
    pub(crate) fn complete_streams(&self) {
        self.completing_streams.store(true, Ordering::Relaxed);
        self.ask_all(Wish::CompleteStreams);
    }

    /// Lets every entity finish its commands and half-close its stream; resolves when all have.
    pub(crate) async fn drain(&self) {
        lock(&self.alive).take();
        self.ask_all(Wish::Drain);
        let _ = self.all_gone.lock().await.recv().await;
    }

    fn ask_all(&self, wish: Wish) {
        for at in 0..SHARDS {
            self.shard(at).0.values().for_each(|resident| resident.wishes.ask(wish));
        }
    }

    fn shard(&self, at: usize) -> MutexGuard<'_, Shard> {
        lock(&self.shards[at])
    }
}

impl Shard {
    /// Gives `envelope` to an entity that is live, or back.
    fn deliver(&mut self, key: &EntityKey, envelope: Box<Envelope>) -> Result<(), Box<Envelope>> {
        let Some(Resident { mailbox, usage, .. }) = self.0.get(key) else { return Err(envelope) };
        usage.set_busy();
        match mailbox.try_send(envelope) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(envelope)) => Err(envelope),
            Err(mpsc::error::TrySendError::Full(envelope)) => {
                let text = "too many commands are already waiting for this entity";
                envelope.fail(Failure::new(ErrorCode::EntityBusy, text));
                Ok(())
            }
        }
    }
}

/// Runs the task of an entity.
fn spawn(kind: EntityKind, entity: LiveEntity) {
    match kind {
        EntityKind::EventSourced => drop(tokio::spawn(serial::run::<EventSourced>(entity))),
        EntityKind::Value => drop(tokio::spawn(serial::run::<Value>(entity))),
        EntityKind::Crdt => drop(tokio::spawn(crdt::run(entity))),
        // Refused before an entity is made.
        EntityKind::Action => {}
    }
}

impl LiveEntity {
    pub(crate) fn environment(&self) -> &Arc<Environment> {
        &self.entities.environment
    }

    /// Forgets this entity if its mailbox is empty. Commands are delivered under the same lock, so none can slip in
    /// between; returns whether the entity is forgotten.
    pub(crate) fn retire(&self) -> bool {
        let at = self.entities.hasher.hash_one(&self.key) as usize % SHARDS;
        let mut shard = self.entities.shard(at);
        let empty = self.mailbox.is_empty();
        if empty && shard.0.remove(&self.key).is_some() {
            self.entities.live.fetch_sub(1, Ordering::Relaxed);
        }
        empty
    }

    /// Says since when there has been nothing to do here: whoever says so may be asked to leave.
    pub(crate) fn set_idle_since(&self, since: Option<Instant>) {
        self.usage.set_idle_since(since);
    }
}

/// Nothing that runs under these locks can leave the map half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

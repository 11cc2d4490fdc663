//! Clients that never rest.

use std::{
    future::Future,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use crash_recovery::{ECHO, LEDGER, Marks};
use futures_util::future::join_all;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    book::{Address, Book, check_echo},
    client::Client,
    site::PATIENCE,
};

const CLIENTS: usize = 12;
const ENTITIES: u64 = 3;
/// How long a client that was refused waits before it asks again.
const PAUSE: Duration = Duration::from_millis(5);

/// A few clients that put marks into the entities of one *generation*, each on its own, until the load is dropped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    client: Client,
    services: &'static [&'static str],
    book: Mutex<Book>,
    /// How many marks were acknowledged to each client.
    acknowledged: watch::Sender<Vec<u64>>,
    /// Part of the names of the entities: each lives through a few rounds, not all.
    generation: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
}

impl Load {
    pub(crate) fn start(port: u16, services: &'static [&'static str], seed: u64) -> Self {
        let shared = Arc::new(Shared {
            client: Client::new(port),
            services,
            book: Mutex::default(),
            acknowledged: watch::Sender::new(vec![0; CLIENTS]),
            generation: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        });
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let random = fastrand::Rng::with_seed(seed ^ (client as u64 + 1));
            clients.spawn(put_marks(Arc::clone(&shared), client, random));
        }
        Self { shared, clients }
    }

    /// From now on entities of another name.
    pub(crate) fn next_generation(&self) {
        self.shared.generation.send_modify(|generation| *generation += 1);
    }

    /// Waits until so many more marks were acknowledged.
    pub(crate) async fn progress(&self, more: u64) {
        let before: u64 = self.shared.acknowledged.borrow().iter().sum();
        self.acknowledged(|now| now.iter().sum::<u64>() >= before + more).await;
    }

    /// Waits until each client has had a mark acknowledged once more, so that no command is older than this call.
    pub(crate) async fn everybody_progresses(&self) {
        let before = self.shared.acknowledged.borrow().clone();
        self.acknowledged(|now| now.iter().zip(&before).all(|(now, before)| now > before)).await;
    }

    async fn acknowledged(&self, is_enough: impl Fn(&Vec<u64>) -> bool) {
        let mut acknowledged = self.shared.acknowledged.subscribe();
        let reached = timeout(PATIENCE, acknowledged.wait_for(|now| is_enough(now))).await;
        let refusal = || self.shared.book().refused().last().cloned();
        assert!(reached.is_ok(), "no progress within {PATIENCE:?}; the last refusal was {:?}", refusal());
    }

    /// Holds what the entities of the last `generations` show against what clients know.
    pub(crate) async fn check_last(&self, generations: u64) {
        let now = *self.shared.generation.borrow();
        self.check(now.saturating_sub(generations.saturating_sub(1))..now + 1).await;
    }

    async fn check(&self, generations: Range<u64>) {
        let addresses = self.shared.book().addresses();
        let is_asked = |it: &Address| generations.clone().any(|n| it.entity.starts_with(&format!("{n}-")));
        join_all(addresses.iter().filter(|it| is_asked(it)).map(|address| self.check_entity(address))).await;
    }

    async fn check_entity(&self, address: &Address) {
        let before = self.shared.book().told(address);
        let shown = eventually(|| self.shared.client.read(address)).await;
        let checked = self.shared.book().check(address, &before, &shown);
        checked.unwrap_or_else(|broken| panic!("{broken}"));
    }

    /// Waits until every event has been consumed, and looks at the order.
    async fn check_consumer(&self) {
        let ledgers = self.shared.book().addresses().into_iter().filter(|it| it.service == LEDGER);
        consumed(&self.shared.client, ledgers.collect()).await;
    }

    /// Lets the commands under way end, and checks every entity there ever was.
    pub(crate) async fn finish(mut self) -> Report {
        self.shared.stopping.send_replace(true);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        self.check(0..u64::MAX).await;
        self.check_consumer().await;
        let book = self.shared.book();
        Report { acknowledged: book.acknowledged(), refused: book.refused().to_vec() }
    }
}

/// What a load came to.
pub(crate) struct Report {
    pub(crate) acknowledged: u64,
    /// Why each of the others was refused.
    pub(crate) refused: Vec<String>,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }
}

async fn put_marks(shared: Arc<Shared>, client: usize, mut random: fastrand::Rng) {
    while !*shared.stopping.borrow() {
        let service = shared.services[random.usize(..shared.services.len())];
        let entity = format!("{}-{}", *shared.generation.borrow(), random.u64(..ENTITIES));
        let address = Address { service, entity };
        let id = shared.book().send(&address);
        match shared.client.put(&address, id).await {
            Ok(()) => {
                shared.book().acknowledge(&address, id);
                shared.acknowledged.send_modify(|acknowledged| acknowledged[client] += 1);
            }
            Err(why) => {
                shared.book().refuse(why);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Waits until whoever consumes the events of `ledgers` has had them all, as long as there are fewer and fewer to come:
/// a consumer that starts over and over falls behind.
pub(crate) async fn consumed(client: &Client, mut ledgers: Vec<Address>) {
    let mut fewest = usize::MAX;
    let mut end = Instant::now() + PATIENCE;
    loop {
        let mut to_come = 0;
        let mut behind = Vec::new();
        for ledger in ledgers {
            let lag = lag(client, &ledger).await;
            to_come += lag;
            if lag > 0 {
                behind.push(ledger);
            }
        }
        let Some(first) = behind.first() else { return };
        if to_come < fewest {
            fewest = to_come;
            end = Instant::now() + PATIENCE;
        }
        assert!(Instant::now() < end, "{to_come} events are not consumed, such as the last one of {first:?}");
        tokio::time::sleep(PAUSE).await;
        ledgers = behind;
    }
}

/// How many events of a ledger its consumer has still to be given.
async fn lag(client: &Client, ledger: &Address) -> usize {
    let echo = Address { service: ECHO, entity: ledger.entity.clone() };
    // The history after what was given of it, which it only can be ahead of.
    let given = eventually(|| client.read(&echo)).await;
    let history = eventually(|| client.read(ledger)).await;
    check_echo(&history.ids, &given.ids).unwrap_or_else(|broken| panic!("{ledger:?}: {broken}"))
}

/// Asks again until there is an answer: a process may be away.
pub(crate) async fn eventually<F: Future<Output = Result<Marks, String>>>(ask: impl Fn() -> F) -> Marks {
    let answer = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    timeout(PATIENCE, answer).await.expect("an entity shows its marks again")
}

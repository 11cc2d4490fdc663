//! A store that fails at every step, under a whole proxy.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use cloudstate_proto::Any;
use cloudstate_proxy::{
    Proxy, Settings, Status,
    storage::{
        Append, BoxFuture, Change, Consumer, Counters, EntityKey, LogEntry, Source, Store, StoreError,
        StoreUrl, StoredCrdt, StoredDeadLetter, StoredEvent, StoredSnapshot, open,
    },
};
use crash_recovery::{LEDGER, SERVICES, user_function};
use tokio::{sync::watch, time::timeout};

use crate::{
    book::{Address, Book},
    client::Client,
    load::{consumed, eventually},
    site::PATIENCE,
};

/// What was asked has no effect, and fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_fails_without_effect() {
    at_every_step("without effect", Plan { has_effect: false, lasting: false, step: 0 }).await;
}

/// What was asked has its effect, but whoever asked does not learn so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_fails_after_its_effect() {
    at_every_step("after its effect", Plan { has_effect: true, lasting: false, step: 0 }).await;
}

/// The store is away from some step on, for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_fails_for_a_while() {
    at_every_step("for a while", Plan { has_effect: false, lasting: true, step: 0 }).await;
}

/// The same proxy lives through all of it.
async fn at_every_step(what: &str, plan: Plan) {
    let memory = open(&StoreUrl::Memory).await.unwrap();
    let failing = Arc::new(FailingStore { inner: Arc::clone(&memory), plan: Mutex::default() });
    let function = function().await;
    let (proxy, client) = host(function, Arc::clone(&failing) as Arc<dyn Store>).await;
    let mut book = Book::default();
    let mut steps = 0;
    loop {
        steps += 1;
        failing.fail(Plan { step: steps, ..plan });
        work(&client, &mut book, steps).await;
        if !failing.repair() {
            break;
        }
        check(&client, &book, &format!("{steps}-"), plan).await;
    }
    // Whoever consumes events has met failures of its own.
    let ledgers = book.addresses().into_iter().filter(|it| it.service == LEDGER);
    consumed(&client, ledgers.collect()).await;
    assert!(steps > 15, "{steps} steps");
    let refused = book.refused().len();
    assert!(refused >= 10, "{refused} commands were refused");
    proxy.shutdown().await;

    // What the entities showed may have been in memory alone.
    let (_proxy, client) =
        host(function, Arc::new(FailingStore { inner: memory, plan: Mutex::default() })).await;
    check(&client, &book, "", plan).await;
    println!("a store that fails {what}: at each of {} steps, {refused} commands refused", steps - 1);
}

/// A few commands to new entities, one after the other, so that steps come in one order.
async fn work(client: &Client, book: &mut Book, name: u64) {
    for _ in 0..3 {
        for service in SERVICES {
            for entity in ["a", "b"] {
                let address = Address { service, entity: format!("{name}-{entity}") };
                let mark = book.send(&address);
                match client.put(&address, mark).await {
                    Ok(()) => book.acknowledge(&address, mark),
                    Err(why) => book.refuse(why),
                }
            }
        }
    }
}

async fn check(client: &Client, book: &Book, names: &str, plan: Plan) {
    for address in book.addresses().into_iter().filter(|it| it.entity.starts_with(names)) {
        let told = book.told(&address);
        let shown = eventually(|| client.read(&address)).await;
        book.check(&address, &told, &shown).unwrap_or_else(|broken| panic!("{broken}, with {plan:?}"));
        if !plan.has_effect {
            let acknowledged = told.acknowledged();
            assert_eq!(shown.count, acknowledged, "{address:?} keeps what was refused, with {plan:?}");
        }
    }
}

/// Lives as long as the test's runtime.
async fn function() -> SocketAddr {
    let server = user_function().address("127.0.0.1", 0).bind().await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve_with_shutdown(std::future::pending()));
    address
}

async fn host(function: SocketAddr, store: Arc<dyn Store>) -> (Proxy, Client) {
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        management: None,
        user_function: function.to_string(),
        ..Settings::default()
    };
    let proxy = Proxy::start_with_store(settings, store).await.unwrap();
    let mut status = proxy.status();
    let serving = timeout(PATIENCE, status.wait_for(|status| matches!(status, Status::Serving(_)))).await;
    let port = match &*serving.unwrap().unwrap() {
        Status::Serving(serving) => serving.listen.port(),
        other => panic!("{other:?}"),
    };
    (proxy, Client::new(port))
}

/// When the store fails, and how.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// The first is 1.
    step: u64,
    /// Also all steps after it.
    lasting: bool,
    /// What is asked is done all the same.
    has_effect: bool,
}

struct FailingStore {
    inner: Arc<dyn Store>,
    plan: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    plan: Option<Plan>,
    steps: u64,
}

impl FailingStore {
    fn fail(&self, plan: Plan) {
        *self.plan.lock().unwrap() = Progress { plan: Some(plan), steps: 0 };
    }

    /// Answers whether it has failed.
    fn repair(&self) -> bool {
        let Progress { plan, steps } = std::mem::take(&mut *self.plan.lock().unwrap());
        plan.is_some_and(|plan| steps >= plan.step)
    }

    fn step<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> BoxFuture<Result<T, StoreError>>,
    ) -> BoxFuture<Result<T, StoreError>> {
        let failing = {
            let mut progress = self.plan.lock().unwrap();
            progress.steps += 1;
            let steps = progress.steps;
            progress.plan.filter(|plan| steps == plan.step || plan.lasting && steps > plan.step)
        };
        let fails = || StoreError::unavailable(io::Error::other("the test says so"));
        match failing {
            None => work(&*self.inner),
            Some(Plan { has_effect: false, .. }) => Box::pin(async move { Err(fails()) }),
            Some(_) => {
                let done = work(&*self.inner);
                Box::pin(async move {
                    done.await?;
                    Err(fails())
                })
            }
        }
    }
}

impl Store for FailingStore {
    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>> {
        self.step(|store| store.append(append))
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<Result<(), StoreError>> {
        self.step(|store| store.write(changes))
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredSnapshot>, StoreError>> {
        self.step(|store| store.snapshot(entity))
    }

    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.step(|store| store.events(entity, after))
    }

    fn value(&self, entity: &EntityKey) -> BoxFuture<Result<Option<Any>, StoreError>> {
        self.step(|store| store.value(entity))
    }

    fn crdt(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredCrdt>, StoreError>> {
        self.step(|store| store.crdt(entity))
    }

    fn log(&self, source: &Source, after: u64) -> BoxFuture<Result<Vec<LogEntry>, StoreError>> {
        self.step(|store| store.log(source, after))
    }

    fn grown(&self) -> watch::Receiver<u64> {
        self.inner.grown()
    }

    fn offset(&self, consumer: &Consumer) -> BoxFuture<Result<Option<u64>, StoreError>> {
        self.step(|store| store.offset(consumer))
    }

    fn dead_letters(&self, after: u64) -> BoxFuture<Result<Vec<StoredDeadLetter>, StoreError>> {
        self.step(|store| store.dead_letters(after))
    }

    /// Nothing depends on it.
    fn dead_letter_count(&self) -> BoxFuture<Result<u64, StoreError>> {
        self.inner.dead_letter_count()
    }

    fn check(&self) -> BoxFuture<Result<(), StoreError>> {
        self.step(Store::check)
    }

    /// The store in memory outlives the proxy.
    fn close(&self) -> BoxFuture<()> {
        Box::pin(async {})
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }
}

//! What is tried with every library. A check that fails panics.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use http::Method;
use nix::sys::signal::Signal;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::{
    library::{Feature, Library},
    site::{Site, eventually, is_listened_on},
};

pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) feature: Feature,
    pub(crate) run: fn(&'static Library) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

macro_rules! checks {
    ($($name:literal, $feature:ident, $run:ident;)*) => {
        &[$(Check { name: $name, feature: Feature::$feature, run: |library| Box::pin($run(library)) }),*]
    };
}

pub(crate) const CHECKS: &[Check] = checks! {
    "a contract of protocol 0.1 is served, with a warning", EventSourced, discovery;
    "event sourced: HTTP and gRPC see one cart", EventSourced, one_cart;
    "event sourced: a refused command changes nothing", EventSourced, refused_command;
    "event sourced: events are replayed after passivation", EventSourced, passivation;
    "event sourced: snapshots are stored and read back", Snapshots, snapshots;
    "event sourced: state outlives a kill of the proxy", EventSourced, killed_proxy;
    "forwards reach another entity", EventSourced, forwards;
    "synchronous side effects are done before the reply", SideEffects, side_effects;
    "no command fails when the user function is replaced after SIGTERM", EventSourced, stopped_function;
    "no command fails when the user function is replaced after SIGKILL", EventSourced, killed_function;
    "CRDT: a map of counters changes, over many commands", Crdts, crdt;
    "CRDT: state outlives passivation, and kills of the user function and the proxy", Crdts, crdt_state;
    "CRDT: a streamed command follows all changes, and its cancellation changes the map", Crdts, crdt_stream;
    "CRDT: a deleted entity is gone", Crdts, crdt_delete;
    "stateless functions answer once, and in streams", Stateless, stateless;
    "the arguments of the reference proxy start the proxy", EventSourced, reference_arguments;
    "the variables of the reference proxy start the proxy", EventSourced, reference_variables;
    "`cloudstate dev -- COMMAND` serves it, and stops it", EventSourced, dev;
};

async fn discovery(library: &'static Library) {
    let site = Site::start(library).await;
    let log = site.proxy_log();
    assert!(log.contains("reports protocol version 0."), "{log}");
}

async fn one_cart(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    assert_eq!(client.post("/carts/u1/items", r#"{"productId":"tea","quantity":2}"#).await, json!({}));
    client.add_by_grpc("u1", 3).await.unwrap();
    client.post("/carts/u1/items", r#"{"productId":"wine","quantity":1}"#).await;
    let items = json!([{"productId": "tea", "quantity": 5}, {"productId": "wine", "quantity": 1}]);
    assert_eq!(client.get("/carts/u1").await["items"], items);
    assert_eq!(client.get("/carts/u2").await["items"], json!([]));
}

async fn refused_command(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    client.add("u1", 2).await.unwrap();
    assert_eq!(client.add("u1", -1).await, Some((500, library.refusal.to_owned())));
    let status = client.add_by_grpc("u1", -1).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (tonic::Code::Unknown, library.refusal));
    assert_eq!(client.add("u1", 1).await, Some((200, "{}".to_owned())));
    assert_eq!(client.tea("u1").await, 3);
}

async fn passivation(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    for quantity in [1, 2, 4] {
        client.add("u1", quantity).await.unwrap();
        site.all_passivated().await;
    }
    assert_eq!(client.tea("u1").await, 7);
}

/// Three events make a snapshot; what is in it is not replayed.
async fn snapshots(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    for quantity in [1, 2, 4, 8] {
        client.add("u1", quantity).await.unwrap();
    }
    site.all_passivated().await;
    let store = Connection::open_with_flags(site.store(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let stored: i64 = store.query_row("SELECT count(*) FROM snapshot", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, 1, "the store has a snapshot");
    assert_eq!(client.tea("u1").await, 15);
}

async fn killed_proxy(library: &'static Library) {
    let mut site = Site::start(library).await;
    site.client().add("u1", 2).await.unwrap();
    for quantity in [3, 4] {
        site.kill_proxy();
        site.start_proxy();
        site.ready().await;
        assert_eq!(site.client().add("u1", quantity).await, Some((200, "{}".to_owned())));
    }
    assert_eq!(site.client().tea("u1").await, 9);
}

async fn forwards(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    assert_eq!(client.get("/carts/u1/orders").await, json!({"orders": 0}));
    client.post("/shop.Orders/Record", r#"{"userId":"u1"}"#).await;
    assert_eq!(client.get("/carts/u1/orders").await, json!({"orders": 1}));
}

async fn side_effects(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    for orders in [1, 2] {
        client.add("u1", 1).await.unwrap();
        client.post("/carts/u1/check-out", "").await;
        assert_eq!(client.post("/shop.Orders/Count", r#"{"userId":"u1"}"#).await, json!({"orders": orders}));
        assert_eq!(client.tea("u1").await, 0);
    }
}

async fn stopped_function(library: &'static Library) {
    replaced_function(library, Signal::SIGTERM).await;
}

async fn killed_function(library: &'static Library) {
    replaced_function(library, Signal::SIGKILL).await;
}

/// Six customers fill their carts without a pause while the process is replaced, twice.
async fn replaced_function(library: &'static Library, signal: Signal) {
    const CUSTOMERS: usize = 6;
    let mut site = Site::start(library).await;
    let (filled, done) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|customer| {
            let (client, filled, done) = (site.client(), Arc::clone(&filled), Arc::clone(&done));
            tokio::spawn(async move {
                let mut added = 0;
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(client.add(&format!("u{customer}"), 1).await, Some((200, "{}".to_owned())));
                    added += 1;
                    filled.fetch_add(1, Ordering::Relaxed);
                }
                added
            })
        })
        .collect();
    let observer = site.client();
    // Waits until the load has gone on; returns the process that serves it.
    let process = async || {
        let until = filled.load(Ordering::Relaxed) + 50;
        eventually("the load goes on", async || filled.load(Ordering::Relaxed) >= until).await;
        observer.get("/carts/observer").await["process"].clone()
    };
    let mut before = process().await;
    for _ in 0..2 {
        site.end_function(signal).await;
        site.start_function();
        let now = process().await;
        assert_ne!(now, before);
        before = now;
    }
    done.store(true, Ordering::Relaxed);
    for (customer, added) in customers.into_iter().enumerate() {
        let added = added.await.unwrap();
        assert_eq!(site.client().tea(&format!("u{customer}")).await, added, "of cart {customer}");
    }
}

async fn crdt(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    let add = async |player: &str, points: i64| {
        client.post("/games/g/points", &format!(r#"{{"player":"{player}","points":{points}}}"#)).await
    };
    assert_eq!(client.get("/games/g").await, json!({"points": {}}));
    assert_eq!(add("ann", 2).await, json!({"points": {"ann": "2"}}));
    assert_eq!(add("bob", -5).await, json!({"points": {"ann": "2", "bob": "-5"}}));
    for _ in 0..20 {
        add("ann", 1).await;
    }
    assert_eq!(client.get("/games/g").await, json!({"points": {"ann": "22", "bob": "-5"}}));
}

async fn crdt_state(library: &'static Library) {
    let mut site = Site::start(library).await;
    let add = async |site: &Site, player: &str, points: i64| {
        let points = format!(r#"{{"player":"{player}","points":{points}}}"#);
        site.client().post("/games/g/points", &points).await["points"].clone()
    };
    add(&site, "ann", 2).await;
    assert_eq!(add(&site, "bob", -7).await, json!({"ann": "2", "bob": "-7"}));
    site.all_passivated().await;
    assert_eq!(add(&site, "bob", 1).await, json!({"ann": "2", "bob": "-6"}));
    site.end_function(Signal::SIGKILL).await;
    site.start_function();
    assert_eq!(add(&site, "ann", 1).await, json!({"ann": "3", "bob": "-6"}));
    site.kill_proxy();
    site.start_proxy();
    site.ready().await;
    assert_eq!(add(&site, "cid", 1).await, json!({"ann": "3", "bob": "-6", "cid": "1"}));
}

async fn crdt_stream(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    client.post("/games/g/points", r#"{"player":"ann","points":2}"#).await;
    let mut lines = client.watch("/games/g/watch").await;
    assert_eq!(lines.next().await, Some(json!({"points": {"ann": "2"}})));
    for points in 3..8 {
        client.post("/games/g/points", r#"{"player":"ann","points":1}"#).await;
        assert_eq!(lines.next().await, Some(json!({"points": {"ann": points.to_string()}})));
    }
    drop(lines);
    eventually("the cancellation has changed the map", async || {
        client.get("/games/g").await == json!({"points": {"ann": "7", "left": "1"}})
    })
    .await;
}

async fn crdt_delete(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    client.post("/games/g/points", r#"{"player":"ann","points":2}"#).await;
    assert_eq!(client.send(Method::DELETE, "/games/g", "").await, Some((200, "{}".to_owned())));
    assert_eq!(client.send(Method::GET, "/games/g", "").await, Some((404, "Entity deleted".to_owned())));
}

async fn stateless(library: &'static Library) {
    let site = Site::start(library).await;
    let client = site.client();
    assert_eq!(client.get("/greetings/ann").await, json!({"text": "Hello ann"}));
    let mut lines = client.watch("/greetings/ann/often").await;
    for word in ["Hello", "Hi", "Bye"] {
        assert_eq!(lines.next().await, Some(json!({"text": format!("{word} ann")})));
    }
    assert_eq!(lines.next().await, None);
}

async fn reference_arguments(library: &'static Library) {
    let mut site = Site::new(library);
    site.start_function();
    let mut command = site.cloudstate("proxy");
    command
        .args(["-Dconfig.resource=in-memory.conf", "-Dcloudstate.proxy.dev-mode-enabled=true"])
        .arg(format!("-Dcloudstate.proxy.http-port={}", site.port))
        .arg(format!("-Dcloudstate.proxy.user-function-port={}", site.function_port))
        .args(["-Dcloudstate.proxy.http-interface=127.0.0.1", "-Dakka.loglevel=DEBUG"])
        .env("MANAGEMENT_PORT", site.management_port.to_string());
    site.run_proxy(&mut command);
    site.ready().await;
    assert_eq!(site.client().add("u1", 2).await, Some((200, "{}".to_owned())));
    assert!(!site.store().exists() && !site.folder.path().join(".cloudstate").exists(), "nothing is kept");
}

async fn reference_variables(library: &'static Library) {
    let mut site = Site::new(library);
    site.start_function();
    let mut command = site.cloudstate("proxy");
    command
        .env("HTTP_PORT", site.port.to_string())
        .env("USER_FUNCTION_HOST", "localhost")
        .env("USER_FUNCTION_PORT", site.function_port.to_string())
        .env("MANAGEMENT_PORT", site.management_port.to_string());
    site.run_proxy(&mut command);
    site.ready().await;
    assert_eq!(site.client().add("u1", 2).await, Some((200, "{}".to_owned())));
    assert!(site.folder.path().join(".cloudstate/store.db").exists(), "the default store is durable");
}

async fn dev(library: &'static Library) {
    let mut site = Site::new(library);
    let mut command = site.cloudstate("dev");
    command
        .args(["--listen", &format!("127.0.0.1:{}", site.port)])
        .args(["--management", &format!("127.0.0.1:{}", site.management_port)])
        .args(["--store", &format!("sqlite:{}", site.store().display()), "--"])
        .args(library.start)
        .envs(library.environment.iter().copied())
        .current_dir(library.folder());
    site.run_proxy(&mut command);
    site.ready().await;
    assert_eq!(site.client().add("u1", 2).await, Some((200, "{}".to_owned())));
    assert_eq!(site.client().tea("u1").await, 2);
    let process = site.client().get("/carts/u1").await["process"].as_str().unwrap().to_owned();
    site.end_proxy(Signal::SIGINT).await;
    assert!(!is_listened_on(site.port), "the proxy is gone");
    let running = std::path::Path::new("/proc").join(process).exists();
    assert!(!running, "the user function is gone");
}

//! What was acknowledged is there after any kill, once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use crate::site::{Site, eventually};

const USERS: usize = 8;

/// What clients know: the quantity that was acknowledged per user, and how many requests had no answer.
#[derive(Default)]
struct Known {
    acknowledged: BTreeMap<usize, i64>,
    unanswered: BTreeMap<usize, i64>,
}

/// One item of one product per request, for as long as `stop` is not set.
fn traffic(site: &Site, stop: &Arc<AtomicBool>) -> (Arc<Mutex<Known>>, Vec<tokio::task::JoinHandle<()>>) {
    let known = Arc::new(Mutex::new(Known::default()));
    let clients = (0..USERS).map(|user| {
        let (http, stop, known) = (site.http(), Arc::clone(stop), Arc::clone(&known));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let response = http.try_add(&format!("u{user}"), "p1", 1).await;
                let mut known = known.lock().await;
                match response {
                    Some(response) if response.status == 200 => {
                        *known.acknowledged.entry(user).or_default() += 1
                    }
                    // A refusal may hide a stored event only if the answer was lost on the way.
                    _ => {
                        *known.unanswered.entry(user).or_default() += 1;
                        drop(known);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            }
        })
    });
    let clients = clients.collect();
    (known, clients)
}

async fn acknowledged(known: &Mutex<Known>) -> i64 {
    known.lock().await.acknowledged.values().sum()
}

/// Waits until `more` further requests were acknowledged.
async fn progress(known: &Arc<Mutex<Known>>, more: i64) {
    let goal = acknowledged(known).await + more;
    eventually("traffic flows", || async { acknowledged(known).await >= goal }).await;
}

async fn check(site: &Site, known: &Mutex<Known>) {
    let known = known.lock().await;
    for user in 0..USERS {
        let cart = site.http().cart(&format!("u{user}")).await;
        let stored = cart.first().map_or(0, |(_, quantity)| *quantity);
        let acknowledged = known.acknowledged.get(&user).copied().unwrap_or_default();
        let unanswered = known.unanswered.get(&user).copied().unwrap_or_default();
        assert!(stored >= acknowledged, "u{user}: {acknowledged} acknowledged, {stored} stored");
        assert!(
            stored <= acknowledged + unanswered,
            "u{user}: {stored} stored, though {acknowledged} acknowledged and {unanswered} unanswered"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_is_killed_during_traffic() {
    let mut site = Site::start().await;
    let stop = Arc::default();
    let (known, clients) = traffic(&site, &stop);
    for _ in 0..3 {
        progress(&known, 50).await;
        site.kill_proxy();
        site.start_proxy();
        site.ready().await;
    }
    progress(&known, 50).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    check(&site, &known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_function_is_killed_during_traffic() {
    let mut site = Site::start().await;
    let stop = Arc::default();
    let (known, clients) = traffic(&site, &stop);
    for _ in 0..3 {
        progress(&known, 50).await;
        site.kill_user_function();
        site.start_user_function();
    }
    progress(&known, 50).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    check(&site, &known).await;
}

#[tokio::test]
async fn everything_is_killed() {
    let mut site = Site::start().await;
    assert_eq!(site.http().add("u1", "p1", 2).await.status, 200);
    site.kill_proxy();
    site.kill_user_function();
    site.start_user_function();
    site.start_proxy();
    site.ready().await;
    assert_eq!(site.http().cart("u1").await, [("p1".to_owned(), 2)]);
}

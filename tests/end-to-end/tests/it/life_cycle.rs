//! Passivation, reactivation, snapshots, stopping.

use nix::sys::signal::Signal;

use crate::{
    client::Http,
    site::{PATIENCE, Site, eventually},
};

/// The value of a counter of the shopping cart.
async fn metric(site: &Site, name: &str) -> u64 {
    let text = Http::new(site.management_port).get("/metrics").await.body;
    let line = text.lines().find(|line| line.starts_with(&format!("cloudstate_eventsourced_{name}_total")));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn an_idle_entity_is_passivated_and_comes_back() {
    let site = Site::start_with(&["--passivation-timeout", "200ms"]).await;
    let http = site.http();
    http.add("u1", "p1", 2).await;
    eventually("the entity is passivated", || async { metric(&site, "passivated_entities").await == 1 })
        .await;
    assert_eq!(http.cart("u1").await, [("p1".to_owned(), 2)]);
    assert_eq!(metric(&site, "activated_entities").await, 2);
    assert_eq!(metric(&site, "loaded_events").await, 1);
    assert_eq!(metric(&site, "failed_entities").await, 0);
}

#[tokio::test]
async fn a_snapshot_shortens_the_replay() {
    let mut site = Site::start().await;
    let http = site.http();
    for _ in 0..105 {
        assert_eq!(http.add("u1", "p1", 1).await.status, 200);
    }
    assert_eq!(metric(&site, "persisted_snapshots").await, 1, "the cart asks for one every 100 events");
    site.kill_proxy();
    site.start_proxy();
    site.ready().await;
    assert_eq!(site.http().cart("u1").await, [("p1".to_owned(), 105)]);
    assert_eq!(metric(&site, "loaded_snapshots").await, 1);
    assert_eq!(metric(&site, "loaded_events").await, 5);
}

#[tokio::test]
async fn sigterm_ends_both_gracefully() {
    let mut site = Site::start().await;
    site.http().add("u1", "p1", 1).await;
    site.proxy().signal(Signal::SIGTERM);
    assert!(site.proxy().ended().await.success(), "{}", site.log("proxy"));
    site.user_function().signal(Signal::SIGTERM);
    assert!(site.user_function().ended().await.success(), "{}", site.log("user_function"));
}

#[tokio::test]
async fn the_user_function_stops_while_entities_are_live() {
    let mut site = Site::start().await;
    site.http().add("u1", "p1", 1).await;
    site.user_function().signal(Signal::SIGTERM);
    assert!(site.user_function().ended().await.success(), "{}", site.log("user_function"));
    let http = site.http();
    let meanwhile = tokio::spawn(async move { http.get("/carts/u1").await });
    site.start_user_function();
    let waited = meanwhile.await.unwrap();
    assert_eq!(waited.status, 200, "{}", waited.body);
    assert_eq!(site.http().cart("u1").await, [("p1".to_owned(), 1)]);
}

#[tokio::test]
async fn a_second_proxy_on_one_store_is_refused() {
    let mut site = Site::start().await;
    let pid = site.proxy().id();
    let second = Site::new(&[]).with_store(site.store());
    let mut command = second.proxy_command();
    command.stderr(std::process::Stdio::piped());
    let output = tokio::time::timeout(PATIENCE, tokio::process::Command::from(command).output());
    let output = output.await.unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&pid.to_string()), "names the owner: {stderr}");
}

#[tokio::test]
async fn a_taken_port_is_one_clear_line() {
    let site = Site::start().await;
    let mut second = Site::new(&[]);
    second.port = site.port;
    let mut child = second.proxy_command();
    child.stderr(std::process::Stdio::piped());
    let output = tokio::process::Command::from(child).output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&site.port.to_string()) && stderr.contains("--listen"), "{stderr}");
}

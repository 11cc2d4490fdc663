//! `/ready`, `/alive` and `/metrics`, with reasons.

use cloudstate_proxy::Proxy;
use http::Method;

use crate::{
    address::Address,
    client::Client,
    contract::{entity, spec},
    hosted::{host, host_with, management, metric, ready, settings},
    user_function::{UserFunction, With, refusal, reply},
};

#[tokio::test(flavor = "multi_thread")]
async fn everything_answers_from_the_first_moment() {
    let nobody = Address::new();
    let proxy = Proxy::start(settings(nobody.at)).await.unwrap();
    for path in ["/alive", "/live"] {
        let alive = management(&proxy, path).await;
        assert_eq!((alive.status.as_u16(), alive.text()), (200, "OK\n"));
    }
    let page = management(&proxy, "/ready").await;
    assert_eq!(page.status, 503);
    assert!(page.text().contains("connecting to the user function"), "{}", page.text());
    let metrics = management(&proxy, "/metrics").await;
    assert_eq!(metrics.status, 200);
    assert_eq!(
        metrics.headers.get("content-type").unwrap(),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(metrics.text().ends_with("# EOF\n"), "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serving_proxy_is_ready() {
    let function = UserFunction::new();
    let (proxy, _client) = host(&function).await;
    assert_eq!(ready(&proxy, "ready", |status, _| status == 200).await, "OK\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_refused() {
    let nobody = Address::new();
    let proxy = Proxy::start(settings(nobody.at)).await.unwrap();
    assert_eq!(management(&proxy, "/").await.status, 404);
    assert_eq!(management(&proxy, "/ready/").await.status, 404);
    let client = Client::connect(proxy.management_address().unwrap()).await;
    assert_eq!(client.http(Method::POST, "/ready", &[], b"").await.status, 405);
    assert_eq!(client.http(Method::HEAD, "/alive", &[], b"").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happens() {
    let mut function = UserFunction::new();
    function.serve(|entity, command| match entity.history.len() {
        0 => reply(command.id, "").with_events(["abc", "de"]).with_snapshot("abcde"),
        _ => refusal(command.id, "no"),
    });
    let (proxy, client) = host(&function).await;
    client.act("e1", "").await.reply();
    client.act("e1", "").await.failure();
    let expected = [
        ("activated_entities_total", 1),
        ("received_commands_total", 2),
        ("completed_commands_total", 2),
        ("failed_commands_total", 1),
        ("persisted_events_total", 2),
        ("persisted_event_bytes_total", 5),
        ("persisted_snapshots_total", 1),
        ("persisted_snapshot_bytes_total", 5),
        ("failed_entities_total", 0),
        ("passivated_entities_total", 0),
        ("recovery_time_seconds_count", 1),
        ("command_processing_time_seconds_count", 2),
        ("persist_time_seconds_count", 1),
    ];
    for (name, value) in expected {
        metric(&proxy, &format!(r#"eventsourced_{name}{{entity_name="test.things"}}"#), value).await;
    }
    metric(&proxy, "store_commits", 1).await;
}

/// The persistence id is a label, and any text.
#[tokio::test(flavor = "multi_thread")]
async fn labels_are_escaped() {
    let mut spec = spec();
    spec.entities = vec![entity("test.Things")];
    spec.entities[0].persistence_id = "a\"b\\c\nd".to_owned();
    let mut function = UserFunction::with_spec(spec);
    function.serve(|_, command| reply(command.id, "fine"));
    let (proxy, client) = host_with(settings(function.address)).await;
    client.act("e1", "").await.reply();
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="a\"b\\c\nd"}"#, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_have_a_port_of_their_own() {
    let (nobody, own_port) = (Address::new(), Address::new());
    let mut settings = settings(nobody.at);
    settings.metrics = Some(own_port.at);
    let _proxy = Proxy::start(settings.clone()).await.unwrap();
    let page = Client::connect(own_port.at).await.get("/metrics").await;
    assert!(page.text().contains("cloudstate_"), "{}", page.text());
}

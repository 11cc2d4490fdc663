//! `/ready`, `/alive`, `/metrics`: with reasons.

use crate::{
    client::Http,
    site::{Site, eventually},
};

#[tokio::test]
async fn readiness_follows_the_user_function_and_says_why() {
    let mut site = Site::new(&[]);
    site.start_proxy();
    let management = Http::new(site.management_port);
    eventually("the management port is open", || async { management.try_get("/alive").await.is_some() })
        .await;
    let ready = management.get("/ready").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("user function"), "{}", ready.body);
    assert!(site.http().try_get("/carts/u1").await.is_none(), "closed until the contract is known");

    site.start_user_function();
    site.ready().await;
    assert_eq!(site.http().get("/carts/u1").await.status, 200);

    site.kill_user_function();
    eventually("it is not ready", || async { management.get("/ready").await.status == 503 }).await;
    assert_eq!(management.get("/alive").await.status, 200);
    site.start_user_function();
    site.ready().await;

    let metrics = management.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    let name = r#"cloudstate_eventsourced_completed_commands_total{entity_name="shopping-cart"}"#;
    assert!(metrics.body.contains(name), "{}", metrics.body);
}

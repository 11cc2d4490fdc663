//! A proxy in this process, in front of a scripted user function.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use cloudstate_proxy::{Proxy, Serving, Settings, Status, storage::StoreUrl};
use tonic::transport::Channel;

use crate::{
    client::{Client, Page},
    user_function::{UserFunction, soon},
    waiting::{PATIENCE, found, until},
};

/// Settings of a proxy that keeps nothing and tries again at once. It is patient: what a test lets it wait for in vain,
/// the test gives a shorter time.
pub(crate) fn settings(user_function: SocketAddr) -> Settings {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    Settings {
        listen: any_port,
        user_function: user_function.to_string(),
        store: StoreUrl::Memory,
        management: Some(any_port),
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(50),
        relay_timeout: PATIENCE,
        passivation_timeout: PATIENCE.into(),
        graceful_termination_timeout: PATIENCE,
        ..Settings::default()
    }
}

/// A proxy that serves `function`, and a client of it.
pub(crate) async fn host(function: &UserFunction) -> (Proxy, Client) {
    host_with(settings(function.address)).await
}

pub(crate) async fn host_with(settings: Settings) -> (Proxy, Client) {
    let proxy = Proxy::start(settings).await.unwrap();
    let client = Client::connect(serving(&proxy).await.listen).await;
    (proxy, client)
}

/// Waits until clients are served.
pub(crate) async fn serving(proxy: &Proxy) -> Arc<Serving> {
    let mut status = proxy.status();
    let end =
        soon("serving or rejected", status.wait_for(|status| !matches!(status, Status::Connecting { .. })));
    match &*end.await.unwrap() {
        Status::Serving(serving) => Arc::clone(serving),
        other => panic!("{other:?}"),
    }
}

/// A gRPC channel to where clients are served.
pub(crate) async fn channel(proxy: &Proxy) -> Channel {
    let listen = serving(proxy).await.listen;
    Channel::from_shared(format!("http://{listen}")).unwrap().connect_lazy()
}

/// Waits until the contract is refused.
pub(crate) async fn rejected(proxy: &Proxy) -> String {
    let mut status = proxy.status();
    let end = soon("a rejection", status.wait_for(|status| matches!(status, Status::Rejected { .. })));
    match &*end.await.unwrap() {
        Status::Rejected { reason } => reason.clone(),
        other => panic!("{other:?}"),
    }
}

/// What a management endpoint answers.
pub(crate) async fn management(proxy: &Proxy, path: &str) -> Page {
    Client::connect(proxy.management_address().unwrap()).await.get(path).await
}

/// Asks `/ready` until `is` accepts the status and the text.
pub(crate) async fn ready(proxy: &Proxy, what: &str, is: impl Fn(u16, &str) -> bool) -> String {
    Readiness::of(proxy).await.until(what, is).await
}

/// A connection to `/ready`, which outlives the proxy's handle.
pub(crate) struct Readiness(Client);

impl Readiness {
    pub(crate) async fn of(proxy: &Proxy) -> Self {
        Self(Client::connect(proxy.management_address().unwrap()).await)
    }

    pub(crate) async fn until(&self, what: &str, is: impl Fn(u16, &str) -> bool) -> String {
        found(what, async || {
            let page = self.0.get("/ready").await;
            is(page.status.as_u16(), page.text()).then(|| page.text().to_owned())
        })
        .await
    }
}

/// Reads `/metrics` until the metric (a name with its labels) has this value.
pub(crate) async fn metric(proxy: &Proxy, metric: &str, value: u64) {
    let asking = Client::connect(proxy.management_address().unwrap()).await;
    let line = format!("cloudstate_{metric} {value}");
    until(&line, async || asking.get("/metrics").await.text().lines().any(|found| found == line)).await;
}

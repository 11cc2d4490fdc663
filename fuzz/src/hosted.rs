//! A proxy in this process, with nothing to wait for: it keeps its state in memory, and ends what takes long.

use std::{net::SocketAddr, time::Duration};

use cloudstate_proxy::{Proxy, Settings, Status, storage::StoreUrl};
use tokio::sync::OnceCell;

/// The only one of the process, which it must not outlive.
static PROXY: OnceCell<Proxy> = OnceCell::const_new();

/// Starts the proxy in front of a user function and waits until it serves; to where clients are served.
pub async fn host(user_function: SocketAddr) -> SocketAddr {
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        user_function: user_function.to_string(),
        store: StoreUrl::Memory,
        management: None,
        relay_timeout: Duration::from_secs(2),
        passivation_timeout: Duration::from_secs(1).into(),
        ..Settings::default()
    };
    let start = || async { Proxy::start(settings).await.expect("the proxy starts") };
    let mut status = PROXY.get_or_init(start).await.status();
    let decided = status.wait_for(|status| !matches!(status, Status::Connecting { .. }));
    match &*decided.await.expect("the proxy is there") {
        Status::Serving(serving) => serving.listen,
        other => panic!("{other:?}"),
    }
}

//! Waiting for what must happen, however long that takes on a busy machine.

use std::{net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, task::spawn_blocking};

/// Nothing that a test waits for takes this long, not even on a machine that is slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Where nothing tells of a change, is looked this often.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Waits for what must happen.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// Looks until there is something.
pub(crate) async fn found<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            // Goes on even while a `StoppedClock` does not.
            spawn_blocking(|| std::thread::sleep(POLL_INTERVAL)).await.unwrap();
        }
    })
    .await
}

/// Looks until it is so.
pub(crate) async fn until(what: &str, is: impl AsyncFn() -> bool) {
    found(what, async || is().await.then_some(())).await;
}

/// Waits until nobody listens there any more.
pub(crate) async fn port_closed(address: SocketAddr) {
    until("the port to be closed", async || TcpStream::connect(address).await.is_err()).await;
}

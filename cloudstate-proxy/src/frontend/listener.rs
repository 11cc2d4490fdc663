//! Accepts connections and lets them finish.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// How long a client may take to send the head of a request, or be idle between requests, over HTTP/1.1.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// A silent HTTP/2 client is asked this often, and given up when it does not answer for as long as below.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// An open port.
pub(crate) struct Listener {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    accepting: JoinHandle<GracefulShutdown>,
}

impl Listener {
    /// Binds `address`.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    /// Serves every request with `handle`, so many of one HTTP/2 connection at once; more wait.
    pub(crate) fn serve<H, F, B>(
        listener: TcpListener,
        streams_per_connection: u32,
        handle: H,
    ) -> io::Result<Self>
    where
        H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let accepting =
            tokio::spawn(accept(listener, builder(streams_per_connection), Arc::new(handle), stopped));
        Ok(Self { address, stop, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting connections and requests; resolves when the requests under way are answered.
    pub(crate) async fn shutdown(self) {
        let _ = self.stop.send(());
        if let Ok(connections) = self.accepting.await {
            connections.shutdown().await;
        }
    }
}

async fn accept<H, F, B>(
    listener: TcpListener,
    builder: auto::Builder<TokioExecutor>,
    handle: Arc<H>,
    mut stopped: oneshot::Receiver<()>,
) -> GracefulShutdown
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connections = GracefulShutdown::new();
    loop {
        let tcp = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    // Out of descriptors, most likely: what is open must end before more can come.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = &mut stopped => return connections,
        };
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let handle = Arc::clone(&handle);
        let service = service_fn(move |request| handle(request));
        let connection = builder.serve_connection(TokioIo::new(tcp), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a client connection ended");
            }
        });
    }
}

fn builder(streams_per_connection: u32) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams_per_connection)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    builder
}

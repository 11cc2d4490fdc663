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

use super::write_timeout::WriteTimeout;

/// How long a client may take to send the head of a request, or be idle between requests, over HTTP/1.1.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// A silent HTTP/2 client is asked this often, and given up when it does not answer for as long as below.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a client may read nothing of what is sent to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

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
        Self::serve_readers(listener, streams_per_connection, WRITE_TIMEOUT, handle)
    }

    /// The same, for clients that are given up when they read nothing for so long.
    fn serve_readers<H, F, B>(
        listener: TcpListener,
        streams_per_connection: u32,
        write_timeout: Duration,
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
        let builder = builder(streams_per_connection);
        let accepting = tokio::spawn(accept(listener, builder, write_timeout, Arc::new(handle), stopped));
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
    write_timeout: Duration,
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
        let io = TokioIo::new(WriteTimeout::new(tcp, write_timeout));
        let connection = builder.serve_connection(io, service).into_owned();
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::mpsc,
        time::timeout,
    };

    use super::*;

    const STREAMS: u32 = 10;
    /// Nothing takes this long.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Answers each request with a body without an end, and tells when that is dropped.
    async fn endless(write_timeout: Duration, piece: Bytes) -> (Listener, mpsc::UnboundedReceiver<()>) {
        struct Told(mpsc::UnboundedSender<()>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (tell, told) = mpsc::unbounded_channel();
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let serving = Listener::serve_readers(listener, STREAMS, write_timeout, move |_| {
            let (piece, until) = (piece.clone(), Told(tell.clone()));
            let pieces = stream::unfold(Some(until), move |until| {
                let piece = piece.clone();
                async move {
                    if piece.is_empty() {
                        let _until = until;
                        return std::future::pending().await;
                    }
                    Some((Ok::<_, Infallible>(Frame::data(piece)), until))
                }
            });
            async move { Ok(Response::new(StreamBody::new(pieces))) }
        });
        (serving.unwrap(), told)
    }

    async fn asking(listener: &Listener) -> TcpStream {
        let mut socket = TcpStream::connect(listener.address()).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        socket
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_given_up() {
        let piece = Bytes::from(vec![b'x'; 64 * 1024]);
        let (listener, mut dropped) = endless(Duration::from_millis(300), piece).await;
        let mut socket = asking(&listener).await;
        timeout(PATIENCE, dropped.recv()).await.unwrap().unwrap();
        // What was on the way comes, and then the end.
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, socket.read_to_end(&mut rest)).await.unwrap();
        assert!(!rest.is_empty());
    }

    #[tokio::test]
    async fn a_client_to_whom_nothing_is_sent_is_not() {
        let (listener, mut dropped) = endless(Duration::from_millis(20), Bytes::new()).await;
        let socket = asking(&listener).await;
        assert!(timeout(Duration::from_millis(300), dropped.recv()).await.is_err(), "given up");
        drop(socket);
        timeout(PATIENCE, dropped.recv()).await.unwrap().unwrap();
    }
}

//! One HTTP/2 connection to the user function, in clear text with prior knowledge.
//!
//! We drive the connection ourselves instead of taking tonic's channel, because two things must be known that a
//! channel hides: how many streams are open on it, and when it is lost.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
};
use tonic::body::Body;
use tower_service::Service;

use super::{pool::STREAMS_PER_CONNECTION, settings_frame::SettingsTap};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent peer is asked this often, and given up when it does not answer for as long as below.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the user function may send on one stream before we have read it.
const STREAM_WINDOW: u32 = 128 * 1024;
/// What it may send on all: enough that streams whose clients read slowly leave room for every other.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS_PER_CONNECTION as u32;

/// How to reach the user function.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    authority: String,
    origin: Uri,
}

/// A live connection; clones share it.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: http2::SendRequest<Body>,
    origin: Uri,
    max_streams: usize,
    closed: watch::Receiver<bool>,
    /// Makes the driver look at the connection, which answers if that still takes requests.
    look: mpsc::Sender<oneshot::Sender<()>>,
}

impl Dial {
    /// `authority` is `host:port`.
    pub(crate) fn new(authority: &str) -> Result<Self, http::Error> {
        let origin = Uri::builder().scheme("http").authority(authority).path_and_query("/").build()?;
        Ok(Self { authority: authority.to_owned(), origin })
    }

    /// Resolves when the peer has spoken HTTP/2.
    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.handshake());
        connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn handshake(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect(&self.authority).await?;
        tcp.set_nodelay(true)?;
        let (tap, max_streams) = SettingsTap::new(tcp);
        let (sender, mut driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(tap))
            .await
            .map_err(io::Error::other)?;
        let (lost, closed) = watch::channel(false);
        let (look, mut looks) = mpsc::channel::<oneshot::Sender<()>>(1);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    end = &mut driver => {
                        if let Err(error) = end {
                            tracing::debug!(%error, "connection to the user function lost");
                        }
                        break;
                    }
                    Some(looked) = looks.recv() => {
                        let _ = looked.send(());
                    }
                }
            }
            lost.send_replace(true);
        });
        let max_streams = max_streams.await.map_err(|_| {
            let text = "whoever listens there closed the connection or does not speak HTTP/2";
            io::Error::new(io::ErrorKind::ConnectionAborted, text)
        })?;
        let max_streams = usize::try_from(max_streams).unwrap_or(usize::MAX).max(1);
        Ok(Connection { sender, origin: self.origin.clone(), max_streams, closed, look })
    }
}

impl Connection {
    pub(crate) fn origin(&self) -> Uri {
        self.origin.clone()
    }

    /// How many streams the peer allows at once, by its own word.
    pub(crate) fn max_streams(&self) -> usize {
        self.max_streams
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow() || self.sender.is_closed()
    }

    /// Whether the connection takes new requests. A peer that is about to go finishes the old ones, and the driver
    /// notices that only when it looks.
    pub(crate) async fn is_open(&self) -> bool {
        let (looked, seen) = oneshot::channel();
        self.look.send(looked).await.is_ok() && seen.await.is_ok()
    }

    /// Resolves when the connection is lost.
    pub(crate) async fn closed(&self) {
        // An error means that the driver is gone without a word, which is the same to us.
        let _ = self.closed.clone().wait_for(|closed| *closed).await;
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sender.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.sender.send_request(request))
    }
}

//! One HTTP/2 connection to the user function, in clear text with prior knowledge.
//!
//! We drive the connection ourselves instead of taking tonic's channel, because things must be known that a channel
//! hides: how many streams may be open on it, when it is lost, and when a peer stops reading.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::{Ping, PingPong, client::SendRequest};
use http::{Request, Response, Uri};
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, sync::watch};
use tonic::body::Body;
use tower_service::Service;

use super::{
    exchange::{ResponseBody, Traffic, exchange},
    pool::STREAMS_PER_CONNECTION,
    settings_frame::SettingsTap,
};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that was sent something and says nothing for so long is asked whether it is there, and given up when it does
/// not answer for as long as below. It is not asked more often than that: many servers end connections whose clients
/// ask without a reason.
const SILENCE: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// When its machine is asked, which costs nothing and is the only sign of life of an idle connection.
const KEEP_ALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));

/// What the user function may send on one stream before we have read it.
const STREAM_WINDOW: u32 = 128 * 1024;
/// What it may send on all: enough that streams whose clients read slowly leave room for every other.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS_PER_CONNECTION as u32;
/// The most that the headers of a response may take.
const MAX_HEADER_LIST: u32 = 16 * 1024;

/// How to reach the user function.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    authority: String,
    origin: Uri,
}

/// A live connection; clones share it.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    origin: Uri,
    max_streams: usize,
    closed: watch::Receiver<bool>,
    traffic: Arc<Traffic>,
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
        SockRef::from(&tcp).set_tcp_keepalive(&KEEP_ALIVE)?;
        let (tap, max_streams) = SettingsTap::new(tcp);
        let (sender, mut driver) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER_LIST)
            .handshake(tap)
            .await
            .map_err(io::Error::other)?;
        let traffic = Arc::<Traffic>::default();
        let (lost, closed) = watch::channel(false);
        let silent = silence(driver.ping_pong(), Arc::clone(&traffic));
        tokio::spawn(async move {
            tokio::select! {
                end = driver => if let Err(error) = end {
                    tracing::debug!(%error, "connection to the user function lost");
                },
                () = silent => tracing::debug!("the user function is silent, its connection is given up"),
            }
            lost.send_replace(true);
        });
        let max_streams = max_streams.await.map_err(|_| {
            let text = "whoever listens there closed the connection or does not speak HTTP/2";
            io::Error::new(io::ErrorKind::ConnectionAborted, text)
        })?;
        let max_streams = usize::try_from(max_streams).unwrap_or(usize::MAX).max(1);
        Ok(Connection { sender, origin: self.origin.clone(), max_streams, closed, traffic })
    }
}

/// Resolves when the peer does not answer any more.
async fn silence(pings: Option<PingPong>, traffic: Arc<Traffic>) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    let mut asked = traffic.sent();
    loop {
        let received = traffic.received();
        tokio::time::sleep(SILENCE).await;
        if traffic.received() != received || traffic.sent() == asked {
            continue;
        }
        asked = traffic.sent();
        match tokio::time::timeout(ANSWER_TIMEOUT, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The connection has ended, which its driver knows best.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return,
        }
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
        *self.closed.borrow()
    }

    /// Whether the connection takes new requests. A peer that is about to go finishes the old ones.
    pub(crate) fn is_open(&self) -> bool {
        let ready = self.sender.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        !self.is_closed() && matches!(ready, Poll::Ready(Ok(())))
    }

    /// Whether the peer left a request unread until it was given up, so that others may have no room.
    pub(crate) fn is_stalled(&self) -> bool {
        self.traffic.is_stalled()
    }

    /// Resolves when the connection is lost.
    pub(crate) async fn closed(&self) {
        // An error means that the driver is gone without a word, which is the same to us.
        let _ = self.closed.clone().wait_for(|closed| *closed).await;
    }
}

/// The peer cannot have seen the request.
#[derive(Debug, thiserror::Error)]
#[error("the request was not sent: {0}")]
pub(crate) struct Unsent(#[source] h2::Error);

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Service<Request<Body>> for Connection {
    type Response = Response<ResponseBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sender.poll_ready(context).map_err(|error| Unsent(error).into())
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (head, body) = request.into_parts();
        let sent = self.sender.send_request(Request::from_parts(head, ()), false).map_err(Unsent);
        let traffic = Arc::clone(&self.traffic);
        Box::pin(async move {
            let (response, stream) = sent?;
            Ok(exchange(body, stream, response, traffic).await?)
        })
    }
}

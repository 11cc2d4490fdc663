//! A client's call with streams of requests and replies.

use std::{
    net::{Shutdown, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::StreamExt;
use http::{Request as HttpRequest, Response as HttpResponse, Uri, uri::PathAndQuery};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Code, Request, Response, Status, Streaming, body::Body, client::Grpc, codegen::BoxFuture,
    metadata::MetadataMap,
};
use tonic_prost::ProstCodec;
use tower_service::Service;

use crate::{
    client::Client,
    contract::{self, Reply, request},
    waiting::{found, soon},
};

/// One call, begun at once. Dropped, it is cancelled.
pub(crate) struct StreamedCall {
    requests: Option<mpsc::UnboundedSender<contract::Request>>,
    opening: JoinSet<Result<Response<Streaming<Reply>>, Status>>,
    replies: Option<Streaming<Reply>>,
    /// How many requests have been taken to be sent.
    pub(crate) taken: Arc<AtomicUsize>,
    /// The response headers, once they have been waited for.
    pub(crate) headers: MetadataMap,
    socket: std::net::TcpStream,
}

/// Waits until nothing more is taken while the proxy answers a hundred other requests; returns how much was.
pub(crate) async fn halted(taken: &AtomicUsize, proxy: SocketAddr) -> usize {
    let client = Client::connect(proxy).await;
    let look = async || {
        let before = taken.load(Ordering::Relaxed);
        for _ in 0..100 {
            client.get("/no/such/page").await;
        }
        let now = taken.load(Ordering::Relaxed);
        (now > 0 && now == before).then_some(now)
    };
    found("the stream to come to a halt", look).await
}

impl StreamedCall {
    /// Calls an rpc of the contract.
    pub(crate) async fn begin(proxy: SocketAddr, rpc: &str) -> Self {
        Self::begin_with(proxy, rpc, &[]).await
    }

    pub(crate) async fn begin_with(proxy: SocketAddr, rpc: &str, headers: &[(&'static str, &str)]) -> Self {
        let (requests, to_send) = mpsc::unbounded_channel();
        let taken = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&taken);
        let to_send = UnboundedReceiverStream::new(to_send);
        let to_send = to_send.inspect(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let mut request = Request::new(to_send);
        for (name, value) in headers {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        let origin: Uri = format!("http://{proxy}/").parse().unwrap();
        let (connection, socket) = Connection::open(proxy).await;
        let mut grpc = Grpc::with_origin(connection, origin);
        let path = PathAndQuery::try_from(format!("/{rpc}")).unwrap();
        let mut opening = JoinSet::new();
        opening.spawn(async move {
            grpc.ready().await.unwrap();
            grpc.streaming(request, path, ProstCodec::default()).await
        });
        Self { requests: Some(requests), opening, replies: None, taken, headers: MetadataMap::new(), socket }
    }

    /// Sends a request.
    pub(crate) fn send(&self, id: &str, text: &str) {
        // The proxy may have ended the call.
        let _ = self.requests.as_ref().expect("the requests go on").send(request(id, text));
    }

    /// Goes away with its connection, even if there are requests that nobody takes.
    pub(crate) fn hang_up(self) {
        self.socket.shutdown(Shutdown::Both).unwrap();
    }

    /// Sends the one request that the rpc takes.
    pub(crate) fn ask(mut self, id: &str, text: &str) -> Self {
        self.send(id, text);
        self.half_close();
        self
    }

    pub(crate) fn half_close(&mut self) {
        self.requests = None;
    }

    /// The proxy takes no more requests.
    pub(crate) async fn requests_refused(&self) {
        soon("the requests to be refused", self.requests.as_ref().unwrap().closed()).await;
    }

    /// Waits for the response headers.
    pub(crate) async fn open(&mut self) -> Result<(), Status> {
        if let Some(opened) = soon("response headers", self.opening.join_next()).await {
            let response = opened.unwrap()?;
            self.headers = response.metadata().clone();
            self.replies = Some(response.into_inner());
        }
        Ok(())
    }

    /// The next reply; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Status> {
        self.open().await?;
        let Some(replies) = &mut self.replies else { return Ok(None) };
        Ok(soon("a reply", replies.message()).await?.map(|reply| reply.text))
    }

    #[track_caller]
    pub(crate) fn reply(&mut self) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            match self.next().await {
                Ok(Some(text)) => text,
                other => panic!("a reply expected at {caller}, got {other:?}"),
            }
        }
    }

    /// What ends the call.
    pub(crate) async fn end(&mut self) -> (Code, String) {
        match self.next().await {
            Ok(None) => (Code::Ok, String::new()),
            Ok(Some(text)) => panic!("one more reply: {text}"),
            Err(status) => (status.code(), status.message().to_owned()),
        }
    }
}

#[derive(Clone)]
struct Connection(http2::SendRequest<Body>);

impl Connection {
    async fn open(address: SocketAddr) -> (Self, std::net::TcpStream) {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let tcp = tcp.into_std().unwrap();
        let socket = tcp.try_clone().unwrap();
        let tcp = TcpStream::from_std(tcp).unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        (Self(sender), socket)
    }
}

impl Service<HttpRequest<Body>> for Connection {
    type Response = HttpResponse<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<Self::Response, hyper::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

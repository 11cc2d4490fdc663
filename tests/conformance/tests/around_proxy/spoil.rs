//! Stands on one side of the proxy, passes everything on, and spoils one thing.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;

type Problem = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Problem>;

/// What becomes of a body.
type Rewrite = fn(&[u8]) -> Vec<u8>;

/// One way to break a rule; each is told the path of the call.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spoil {
    /// What is called is called once more.
    pub(crate) twice: Option<fn(&str) -> bool>,
    pub(crate) request_headers: Option<fn(&mut HeaderMap)>,
    /// A gRPC message of a request, and what becomes of it.
    pub(crate) request: Option<fn(&str, Bytes) -> Vec<Bytes>>,
    /// Half-closes that are lost.
    pub(crate) loses_half_close: Option<fn(&str) -> bool>,
    /// Half-closes that become resets.
    pub(crate) resets: Option<fn(&str) -> bool>,
    pub(crate) response_head: Option<fn(&mut http::response::Parts)>,
    /// All gRPC messages of a response, once it is over.
    pub(crate) responses: Option<fn(&str, &mut Vec<Bytes>)>,
    pub(crate) trailers: Option<fn(&mut HeaderMap)>,
    /// The whole body of an HTTP response that is no gRPC.
    pub(crate) http: Option<Rewrite>,
}

/// Passes on what comes in.
pub(crate) struct Relay {
    spoil: Spoil,
    to: SocketAddr,
}

impl Relay {
    /// Listens on any free port, until the test ends.
    pub(crate) async fn start(spoil: Spoil, to: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay = Arc::new(Self { spoil, to });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&relay).serve(stream));
            }
        });
        address
    }

    /// Each connection is continued by one of its own.
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let upstream = Arc::new(tokio::sync::OnceCell::new());
        let service = service_fn(move |request| {
            let (relay, upstream) = (Arc::clone(&self), Arc::clone(&upstream));
            async move { Ok::<_, Infallible>(relay.answer(request, &upstream).await) }
        });
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http2().max_concurrent_streams(10_000);
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        upstream: &tokio::sync::OnceCell<http2::SendRequest<Body>>,
    ) -> Response<Body> {
        let passed = if request.version() == Version::HTTP_2 {
            self.grpc(request, upstream).await
        } else {
            self.http1(request).await
        };
        passed.unwrap_or_else(|_| Response::builder().status(502).body(empty()).unwrap())
    }

    async fn http1(&self, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
        let stream = TcpStream::connect(self.to).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (mut head, body) = sender.send_request(request).await?.into_parts();
        if let Some(spoil) = self.spoil.response_head {
            spoil(&mut head);
        }
        let is_grpc = head
            .headers
            .get("content-type")
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        let Some(spoil) = self.spoil.http.filter(|_| !is_grpc) else {
            return Ok(Response::from_parts(head, body.map_err(Problem::from).boxed_unsync()));
        };
        let body = spoil(&body.collect().await?.to_bytes());
        head.headers.remove("content-length");
        Ok(Response::from_parts(
            head,
            http_body_util::Full::from(body).map_err(|never| match never {}).boxed_unsync(),
        ))
    }

    async fn grpc(
        &self,
        request: Request<Incoming>,
        upstream: &tokio::sync::OnceCell<http2::SendRequest<Body>>,
    ) -> Result<Response<Body>, Problem> {
        let connect = || async {
            let stream = TcpStream::connect(self.to).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            Ok::<_, Problem>(sender)
        };
        let mut sender = upstream.get_or_try_init(connect).await?.clone();
        let (mut head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        if let Some(spoil) = self.spoil.request_headers {
            spoil(&mut head.headers);
        }
        let again = self.spoil.twice.is_some_and(|twice| twice(&path));
        let (frames, once_more) = (mpsc::channel(256), mpsc::channel(256));
        tokio::spawn(pass_request(self.spoil, path.clone(), body, frames.0, again.then_some(once_more.0)));
        if again {
            let (mut copy, _) =
                Request::builder().uri(head.uri.clone()).method("POST").body(()).unwrap().into_parts();
            copy.headers = head.headers.clone();
            let response = sender.send_request(Request::from_parts(copy, streamed(once_more.1)));
            tokio::spawn(async move {
                if let Ok(response) = response.await {
                    let _ = response.into_body().collect().await;
                }
            });
        }
        let (mut head, body) =
            sender.send_request(Request::from_parts(head, streamed(frames.1))).await?.into_parts();
        if let Some(spoil) = self.spoil.response_head {
            spoil(&mut head);
        }
        if let Some(spoil) = self.spoil.trailers {
            spoil(&mut head.headers);
        }
        let (sender, frames) = mpsc::channel(256);
        tokio::spawn(pass_response(self.spoil, path, body, sender));
        Ok(Response::from_parts(head, streamed(frames)))
    }
}

type Frames = mpsc::Sender<Result<Frame<Bytes>, Problem>>;

fn streamed(frames: mpsc::Receiver<Result<Frame<Bytes>, Problem>>) -> Body {
    StreamBody::new(ReceiverStream::new(frames)).boxed_unsync()
}

fn empty() -> Body {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}

async fn pass_request(spoil: Spoil, path: String, mut body: Incoming, to: Frames, again: Option<Frames>) {
    let mut buffer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            let _ = to.send(Err(Box::new(h2::Error::from(h2::Reason::CANCEL)))).await;
            return;
        };
        let Ok(data) = frame.into_data() else { continue };
        buffer.extend_from_slice(&data);
        while let Some(message) = take(&mut buffer) {
            let messages = match spoil.request {
                Some(request) => request(&path, message),
                None => vec![message],
            };
            for message in messages {
                for to in [Some(&to), again.as_ref()].into_iter().flatten() {
                    let _ = to.send(Ok(Frame::data(framed(&message)))).await;
                }
            }
        }
    }
    if !body.is_end_stream() {
        let _ = to.send(Err(Box::new(h2::Error::from(h2::Reason::CANCEL)))).await;
        return;
    }
    if spoil.resets.is_some_and(|resets| resets(&path)) {
        let _ = to.send(Err(Box::new(h2::Error::from(h2::Reason::CANCEL)))).await;
    }
    if spoil.loses_half_close.is_some_and(|loses| loses(&path)) {
        to.closed().await;
    }
}

async fn pass_response(spoil: Spoil, path: String, mut body: Incoming, to: Frames) {
    let mut buffer = BytesMut::new();
    let mut all = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = to.closed() => return,
        };
        let Some(frame) = frame else { break };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                let _ = to.send(Err(error.into())).await;
                return;
            }
        };
        match frame.into_data() {
            Ok(data) if spoil.responses.is_none() => {
                let _ = to.send(Ok(Frame::data(data))).await;
            }
            Ok(data) => {
                buffer.extend_from_slice(&data);
                while let Some(message) = take(&mut buffer) {
                    all.push(message);
                }
            }
            Err(frame) => {
                send_all(spoil, &path, std::mem::take(&mut all), &to).await;
                let mut trailers = frame.into_trailers().unwrap_or_default();
                if let Some(spoil) = spoil.trailers {
                    spoil(&mut trailers);
                }
                let _ = to.send(Ok(Frame::trailers(trailers))).await;
                return;
            }
        }
    }
    send_all(spoil, &path, all, &to).await;
}

async fn send_all(spoil: Spoil, path: &str, mut all: Vec<Bytes>, to: &Frames) {
    if let Some(spoil) = spoil.responses {
        spoil(path, &mut all);
    }
    for message in all {
        let _ = to.send(Ok(Frame::data(framed(&message)))).await;
    }
}

fn take(buffer: &mut BytesMut) -> Option<Bytes> {
    let length = buffer.get(1..5)?.get_u32() as usize;
    if buffer.len() < 5 + length {
        return None;
    }
    buffer.advance(5);
    Some(buffer.split_to(length).freeze())
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

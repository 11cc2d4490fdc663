//! A client that speaks HTTP/2 by hand, so that it can also speak it badly.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use cloudstate_proxy::error_code::ErrorCode;
use http::{HeaderMap, Method, Request as HttpRequest, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use percent_encoding::percent_decode_str;
use prost::Message;
use tokio::net::TcpStream;
use tonic::Code;

use crate::{
    contract::{Reply, Request, request},
    user_function::soon,
};

/// One connection; clones share it.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    sender: http2::SendRequest<Full<Bytes>>,
}

/// The answer to a gRPC call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Code,
    pub(crate) text: String,
    /// And the trailers.
    pub(crate) headers: HeaderMap,
    /// The first message as it came, without its frame.
    pub(crate) message: Option<Bytes>,
}

/// The answer to an HTTP request.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    trailers: HeaderMap,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp));
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        Self { address, sender }
    }

    /// Calls an rpc of the contract.
    pub(crate) async fn call(&self, rpc: &str, id: &str, text: &str) -> Answer {
        self.grpc(rpc, &frame(&request(id, text))).await
    }

    /// Calls `test.Things/Do`.
    pub(crate) async fn act(&self, id: &str, text: &str) -> Answer {
        self.call("test.Things/Do", id, text).await
    }

    /// Calls with these bytes as request body.
    pub(crate) async fn grpc(&self, rpc: &str, body: &[u8]) -> Answer {
        self.grpc_with(rpc, body, &[]).await
    }

    pub(crate) async fn grpc_with(&self, rpc: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("content-type", "application/grpc"), ("te", "trailers")], headers].concat();
        let page = self.http(Method::POST, &format!("/{rpc}"), &headers, body).await;
        Answer::from(page)
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.http(Method::GET, path, &[], b"").await
    }

    pub(crate) async fn http(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Page {
        let mut request = HttpRequest::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        let mut sender = self.sender.clone();
        sender.ready().await.unwrap();
        let response = soon("a response", sender.send_request(request)).await.unwrap();
        let (head, body) = response.into_parts();
        let body = soon("the response's body", body.collect()).await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        Page { status: head.status, headers: head.headers, body: body.to_bytes(), trailers }
    }
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        let Page { status, mut headers, mut body, trailers } = page;
        // As every gRPC client does when a proxy answers that knows nothing of gRPC.
        let without_status = match status {
            StatusCode::OK => Code::Internal,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            _ => Code::Unknown,
        };
        let field = |name| trailers.get(name).or(headers.get(name)).map(|value| value.to_str().unwrap());
        let code = field("grpc-status").map_or(without_status, |code| Code::from_bytes(code.as_bytes()));
        let text = percent_decode_str(field("grpc-message").unwrap_or_default()).decode_utf8().unwrap();
        let message = (status == StatusCode::OK && body.len() >= 5).then(|| {
            let head = body.split_to(5);
            let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
            body.split_to(length)
        });
        let text = text.into_owned();
        headers.extend(trailers);
        Answer { code, text, headers, message }
    }
}

impl Answer {
    /// The text of a `test.Reply`.
    #[track_caller]
    pub(crate) fn reply(&self) -> String {
        assert_eq!(self.code, Code::Ok, "{}", self.text);
        Reply::decode(self.message.clone().unwrap()).unwrap().text
    }

    /// The code and text of a failure.
    #[track_caller]
    pub(crate) fn failure(&self) -> (Code, &str) {
        assert_ne!(self.code, Code::Ok);
        (self.code, &self.text)
    }
}

impl Page {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// What a client reads of a failure that the proxy found: what it is about, what went wrong, and what to do.
pub(crate) fn explained(subject: &str, error: ErrorCode, text: &str) -> String {
    format!("{subject}: {text}. {}", error.remedy())
}

/// A gRPC message of `request`.
pub(crate) fn frame(request: &Request) -> Bytes {
    frame_bytes(0, &request.encode_to_vec())
}

/// A gRPC message of these bytes; `flag` 1 says that they are compressed.
pub(crate) fn frame_bytes(flag: u8, bytes: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(flag);
    framed.put_u32(bytes.len() as u32);
    framed.put_slice(bytes);
    framed.freeze()
}

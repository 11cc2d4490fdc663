//! Clients of the proxy: gRPC, gRPC-Web, and HTTP/1.1.

mod web;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, sync::mpsc, task::JoinHandle, time::timeout};

use super::wire::{self, Heard, Outgoing, Reader, Status, Writer};
use crate::readable;

pub(crate) use web::Variant;

/// More than any scenario leaves unread.
const UNREAD: usize = 256;

/// Whom clients call.
#[derive(Clone)]
pub(crate) struct Target {
    /// `host:port`
    address: String,
    patience: Duration,
}

/// What a client hears, of gRPC and of HTTP alike.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Status and headers of the response.
    Head(u16, HeaderMap),
    /// A message, or a part of an HTTP body.
    Part(Bytes),
    /// The end of a call, or of an HTTP body.
    End(Option<Status>),
    /// The call broke, or is no gRPC.
    Broken(String),
}

/// A call in progress.
pub(crate) struct Call {
    /// None after a half-close.
    writer: Option<Writer>,
    answers: mpsc::Receiver<Answer>,
    task: JoinHandle<()>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Call {
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        self.answers.recv().await
    }

    pub(crate) async fn send(&self, message: &[u8]) {
        if let Some(writer) = &self.writer {
            // Who does not listen any more has ended the call; the next expectation says how.
            let _ = writer.message(message).await;
        }
    }

    pub(crate) fn half_close(&mut self) {
        self.writer = None;
    }

    pub(crate) async fn cancel(mut self) {
        if let Some(writer) = self.writer.take() {
            writer.cancel().await;
        }
        self.task.abort();
    }
}

impl Target {
    pub(crate) fn new(address: &str, patience: Duration) -> Self {
        Self { address: address.to_owned(), patience }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    async fn connect(&self) -> Result<TokioIo<TcpStream>, String> {
        let address = &self.address;
        match timeout(self.patience, TcpStream::connect(address.as_str())).await {
            Ok(Ok(stream)) => {
                // Small messages, each of which somebody waits for.
                let _ = stream.set_nodelay(true);
                Ok(TokioIo::new(stream))
            }
            Ok(Err(error)) => Err(format!("cannot connect to {address}: {error}")),
            Err(_) => Err(format!("cannot connect to {address} within {:?}", self.patience)),
        }
    }

    /// A connection for gRPC.
    pub(crate) async fn http2(&self) -> Result<http2::SendRequest<Outgoing>, String> {
        let io = self.connect().await?;
        let handshake = http2::Builder::new(TokioExecutor::new()).handshake(io);
        let (sender, connection) = match timeout(self.patience, handshake).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(format!("{} speaks no HTTP/2: {error}", self.address)),
            Err(_) => return Err(format!("{} speaks no HTTP/2 within {:?}", self.address, self.patience)),
        };
        tokio::spawn(connection);
        Ok(sender)
    }

    /// One request of HTTP/1.1, on a connection of its own.
    pub(crate) async fn http1(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, String> {
        let host = HeaderValue::from_str(&self.address).map_err(|error| error.to_string())?;
        request.headers_mut().entry(header::HOST).or_insert(host);
        let (mut sender, connection) =
            http1::handshake(self.connect().await?).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| readable::root_cause(&error).to_string())
    }

    /// Begins a gRPC call on an open connection.
    pub(crate) fn grpc(
        &self,
        mut connection: http2::SendRequest<Outgoing>,
        path: &str,
        metadata: &HeaderMap,
    ) -> Result<Call, String> {
        let (writer, body) = wire::outgoing();
        let request = grpc_request(&self.address, path, metadata, body)?;
        let (sender, answers) = mpsc::channel(UNREAD);
        let task = tokio::spawn(async move {
            let response = connection.send_request(request).await;
            match response {
                Ok(response) => read_grpc(response, &sender).await,
                Err(error) => {
                    let _ = sender.send(Answer::Broken(readable::root_cause(&error).to_string())).await;
                }
            }
        });
        Ok(Call { writer: Some(writer), answers, task })
    }

    /// Makes a call of gRPC-Web.
    pub(crate) fn web(
        &self,
        variant: Variant,
        path: &str,
        metadata: &HeaderMap,
        message: &[u8],
    ) -> Result<Call, String> {
        let request = variant.request(path, metadata, message)?;
        Ok(self.http1_call(request, move |response, answers| web::read(variant, response, answers)))
    }

    /// Makes an HTTP request.
    pub(crate) fn http(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Call, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        request.headers_mut().extend(headers.clone());
        Ok(self.http1_call(request, read_http))
    }

    fn http1_call<F>(
        &self,
        request: Request<Full<Bytes>>,
        read: impl FnOnce(Response<Incoming>, mpsc::Sender<Answer>) -> F + Send + 'static,
    ) -> Call
    where
        F: Future<Output = ()> + Send,
    {
        let (sender, answers) = mpsc::channel(UNREAD);
        let target = self.clone();
        let task = tokio::spawn(async move {
            match target.http1(request).await {
                Ok(response) => read(response, sender).await,
                Err(problem) => {
                    let _ = sender.send(Answer::Broken(problem)).await;
                }
            }
        });
        Call { writer: None, answers, task }
    }
}

/// What every gRPC request looks like.
pub(crate) fn grpc_request<B>(
    address: &str,
    path: &str,
    metadata: &HeaderMap,
    body: B,
) -> Result<Request<B>, String> {
    let mut request =
        Request::post(format!("http://{address}{path}")).body(body).map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.extend(metadata.clone());
    Ok(request)
}

async fn read_grpc(response: Response<Incoming>, answers: &mpsc::Sender<Answer>) {
    let (head, body) = response.into_parts();
    let at_once = Status::from_headers(&head.headers);
    let is_grpc = head.headers.get(header::CONTENT_TYPE).is_some_and(is_grpc);
    let problem = if head.status != http::StatusCode::OK {
        Some(format!("the response is no gRPC: HTTP status {}", head.status))
    } else if !is_grpc {
        Some(format!(
            "the response is no gRPC: its content type is {:?}",
            head.headers.get(header::CONTENT_TYPE)
        ))
    } else {
        None
    };
    let _ = answers.send(Answer::Head(head.status.as_u16(), head.headers)).await;
    if let Some(problem) = problem {
        let _ = answers.send(Answer::Broken(problem)).await;
        return;
    }
    let mut reader = Reader::new(body);
    loop {
        let answer = match reader.next().await {
            Heard::Message(message) => Answer::Part(message),
            Heard::End(trailers) => match Status::from_headers(&trailers).or(at_once.clone()) {
                Some(status) => Answer::End(Some(status)),
                None => Answer::Broken("the call ended without a gRPC status".to_owned()),
            },
            Heard::Broken(problem) => Answer::Broken(problem),
        };
        let goes_on = matches!(answer, Answer::Part(_));
        if answers.send(answer).await.is_err() || !goes_on {
            return;
        }
    }
}

fn is_grpc(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"application/grpc")
}

async fn read_http(response: Response<Incoming>, answers: mpsc::Sender<Answer>) {
    let (head, mut body) = response.into_parts();
    let _ = answers.send(Answer::Head(head.status.as_u16(), head.headers)).await;
    loop {
        let answer = match body.frame().await {
            None => Answer::End(None),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Answer::Part(data),
                Err(_trailers) => continue,
            },
            Some(Err(error)) => Answer::Broken(readable::root_cause(&error).to_string()),
        };
        let goes_on = matches!(answer, Answer::Part(_));
        if answers.send(answer).await.is_err() || !goes_on {
            return;
        }
    }
}

/// A header as scenarios write it.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| format!("`{name}`: {error}"))?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| format!("`{value}`: {error}"))?;
    Ok((name, value))
}

/// Of what frames are made.
fn parts(buffer: &mut BytesMut) -> Result<Option<(u8, Bytes)>, String> {
    wire::take_message(buffer)
}

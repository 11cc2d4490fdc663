//! Passes calls on to a user function, frame by frame, with headers, trailers, half-closes and cancellations.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http2,
};
use tokio::sync::{Mutex, mpsc};

use super::Body;
use crate::proxy::{
    client::Target,
    wire::{self, Heard, Outgoing, Status, Writer},
};

/// The user function behind.
pub(super) struct Relay {
    service: Target,
    connection: Mutex<Option<http2::SendRequest<Outgoing>>>,
}

/// Headers that are about one connection, and not about a call.
const OF_A_CONNECTION: [&str; 3] = ["connection", "host", "transfer-encoding"];

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

impl Relay {
    pub(super) fn new(service: String) -> Self {
        Self { service: Target::new(&service, PATIENCE), connection: Mutex::new(None) }
    }

    /// Passes on one call; what is said goes to `said` and `answered` as well.
    pub(super) async fn pass_on(
        &self,
        request: Request<Incoming>,
        said: mpsc::Sender<Heard>,
        answered: mpsc::Sender<Heard>,
    ) -> Response<Body> {
        match self.forward(request, said, answered.clone()).await {
            Ok(response) => response,
            Err(problem) => {
                let message = format!("the user function at {}: {problem}", self.service.address());
                let trailers = Status { code: 14, message }.trailers();
                let _ = answered.send(Heard::End(trailers.clone())).await;
                let mut response = super::grpc_response(wire::outgoing().1);
                response.headers_mut().extend(trailers);
                response
            }
        }
    }

    async fn forward(
        &self,
        request: Request<Incoming>,
        said: mpsc::Sender<Heard>,
        answered: mpsc::Sender<Heard>,
    ) -> Result<Response<Body>, String> {
        let mut connection = self.connection().await?;
        let (head, body) = request.into_parts();
        let (writer, upstream) = wire::outgoing();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(head.method)
            .uri(format!("http://{}{path}", self.service.address()))
            .body(upstream)
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = without_connection(head.headers);
        tokio::spawn(copy(body, writer, said));
        let response = connection.send_request(request).await.map_err(|error| error.to_string())?;

        let (head, body) = response.into_parts();
        if body.is_end_stream() {
            let _ = answered.send(Heard::End(head.headers.clone())).await;
        }
        let (writer, downstream) = wire::outgoing();
        tokio::spawn(copy(body, writer, answered));
        let mut response = Response::new(downstream.boxed_unsync());
        *response.status_mut() = head.status;
        *response.headers_mut() = without_connection(head.headers);
        Ok(response)
    }

    async fn connection(&self) -> Result<http2::SendRequest<Outgoing>, String> {
        let mut connection = self.connection.lock().await;
        if let Some(open) = connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let new = self.service.http2().await?;
        *connection = Some(new.clone());
        Ok(new)
    }
}

fn without_connection(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_A_CONNECTION {
        headers.remove(name);
    }
    headers
}

/// Passes frames on as they come, and tells of the messages in them.
async fn copy(mut body: Incoming, writer: Writer, heard: mpsc::Sender<Heard>) {
    let mut buffer = BytesMut::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // Who is not listened to any more stops talking: the other side is reset when `body` is dropped.
            () = writer.gone() => return,
        };
        match frame {
            // hyper takes some resets for an end.
            None if !body.is_end_stream() => {
                let _ = heard.send(Heard::Broken("reset".to_owned())).await;
                return writer.cancel().await;
            }
            None => {
                let _ = heard.send(Heard::End(HeaderMap::new())).await;
                return;
            }
            Some(Err(error)) => {
                let _ = heard.send(Heard::Broken(error.to_string())).await;
                return writer.cancel().await;
            }
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    tell(&mut buffer, data, &heard).await;
                }
                let trailers = frame.trailers_ref().cloned();
                // Recorded first: whoever acts upon it must find it here.
                if let Some(trailers) = trailers {
                    let _ = heard.send(Heard::End(trailers)).await;
                }
                if writer.frame(frame).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn tell(buffer: &mut BytesMut, data: &Bytes, heard: &mpsc::Sender<Heard>) {
    buffer.extend_from_slice(data);
    while let Ok(Some((_, message))) = wire::take_message(buffer) {
        let _ = heard.send(Heard::Message(message)).await;
    }
}

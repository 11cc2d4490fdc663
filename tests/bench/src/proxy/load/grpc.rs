//! gRPC, without a client's conveniences.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioExecutor;
use prost::Message;

use super::{Connection, Entities, tcp};
use crate::{Error, contract::By, load::Caller};

pub(crate) struct Grpc {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    entities: Entities,
}

impl Connection for Grpc {
    async fn open(port: u16, entities: Entities) -> Result<Self, Error> {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), tcp(port).await?).await?;
        tokio::spawn(connection);
        Ok(Self { sender, authority: format!("127.0.0.1:{port}"), entities })
    }
}

impl Caller for Grpc {
    async fn call(&mut self) -> Result<(), Error> {
        let by = By { id: format!("counter-{}", self.entities.next()), amount: 1 };
        let request = Request::post(format!("http://{}/bench.DurableCounter/Increase", self.authority))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(frame(&by)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let headers = response.headers().clone();
        let body = response.into_body().collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        let message = body.to_bytes();
        // An empty message is its five bytes of prefix.
        if status(&trailers).or_else(|| status(&headers)) == Some("0") && message.len() == 5 {
            Ok(())
        } else {
            Err(format!("answered {headers:?} {message:?} {trailers:?}").into())
        }
    }
}

fn frame(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.encoded_len());
    frame.put_u8(0);
    frame.put_u32(message.encoded_len() as u32);
    frame.put(message.encode_to_vec().as_slice());
    frame.freeze()
}

fn status(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status")?.to_str().ok()
}

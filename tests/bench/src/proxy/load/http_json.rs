//! HTTP/1.1 with JSON.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};

use super::{Connection, Entities, tcp};
use crate::{Error, load::Caller};

pub(crate) struct HttpJson {
    sender: SendRequest<Full<Bytes>>,
    entities: Entities,
}

impl Connection for HttpJson {
    async fn open(port: u16, entities: Entities) -> Result<Self, Error> {
        let (sender, connection) = http1::handshake(tcp(port).await?).await?;
        tokio::spawn(connection);
        Ok(Self { sender, entities })
    }
}

impl Caller for HttpJson {
    async fn call(&mut self) -> Result<(), Error> {
        let request = Request::post(format!("/counters/counter-{}", self.entities.next()))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(br#"{"amount":1}"#)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status.is_success() && body == "{}" {
            Ok(())
        } else {
            Err(format!("answered {status}: {}", String::from_utf8_lossy(&body)).into())
        }
    }
}

//! HTTP/1.1 with JSON.

use std::marker::PhantomData;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};

use super::{Connection, Entities, tcp};
use crate::{Error, load::Caller};

/// How a counter is reached.
pub(crate) trait Api: Send + 'static {
    const BODY: &'static [u8];
    const ANSWER: &'static str;

    fn path(entity: usize) -> String;
}

/// The rpc `bench.DurableCounter/Increase`.
pub(crate) struct DurableCounter;

impl Api for DurableCounter {
    const BODY: &'static [u8] = br#"{"amount":1}"#;
    const ANSWER: &'static str = "{}";

    fn path(entity: usize) -> String {
        format!("/counters/counter-{entity}")
    }
}

/// The object `Counter` of `restate-counter`.
pub(crate) struct RestateCounter;

impl Api for RestateCounter {
    const BODY: &'static [u8] = b"1";
    const ANSWER: &'static str = "";

    fn path(entity: usize) -> String {
        format!("/Counter/counter-{entity}/increase")
    }
}

pub(crate) struct HttpJson<A = DurableCounter> {
    sender: SendRequest<Full<Bytes>>,
    entities: Entities,
    api: PhantomData<A>,
}

impl<A: Api> Connection for HttpJson<A> {
    async fn open(port: u16, entities: Entities) -> Result<Self, Error> {
        let (sender, connection) = http1::handshake(tcp(port).await?).await?;
        tokio::spawn(connection);
        Ok(Self { sender, entities, api: PhantomData })
    }
}

impl<A: Api> Caller for HttpJson<A> {
    async fn call(&mut self) -> Result<(), Error> {
        let request = Request::post(A::path(self.entities.next()))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(A::BODY)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status.is_success() && body == A::ANSWER {
            Ok(())
        } else {
            Err(format!("answered {status}: {}", String::from_utf8_lossy(&body)).into())
        }
    }
}

//! Clients of a proxy: a connection each, one request at a time, the entities in turn.

mod grpc;
mod http_json;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(super) use {
    grpc::Grpc,
    http_json::{DurableCounter, HttpJson, RestateCounter},
};

use crate::{Error, load::Caller};

/// How many entities share the load.
pub(super) const ENTITIES: usize = 1_000;

/// One connection.
pub(super) trait Connection: Caller {
    async fn open(port: u16, entities: Entities) -> Result<Self, Error>;
}

/// As many connections as asked for.
pub(super) async fn connect<C: Connection>(port: u16, connections: usize) -> Result<Vec<C>, Error> {
    let mut callers = Vec::with_capacity(connections);
    for first in 0..connections {
        callers.push(C::open(port, Entities { next: first, step: connections }).await?);
    }
    Ok(callers)
}

/// The entities of one connection, one after the other and round again: those of different connections seldom meet.
pub(super) struct Entities {
    next: usize,
    step: usize,
}

impl Entities {
    fn next(&mut self) -> usize {
        let entity = self.next % ENTITIES;
        self.next += self.step;
        entity
    }
}

async fn tcp(port: u16) -> Result<TokioIo<TcpStream>, Error> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.set_nodelay(true)?;
    Ok(TokioIo::new(tcp))
}

/// Posts JSON; whether it was taken.
pub(super) async fn post(port: u16, path: &str, json: String) -> Result<bool, Error> {
    let (mut sender, connection) = http1::handshake(tcp(port).await?).await?;
    tokio::spawn(connection);
    let request = Request::post(path)
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(json)))?;
    Ok(sender.send_request(request).await?.status().is_success())
}

/// The body of a page.
pub(super) async fn get(port: u16, path: &str) -> Result<String, Error> {
    let (mut sender, connection) = http1::handshake(tcp(port).await?).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, "localhost").body(Empty::<Bytes>::new())?;
    let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.into())?)
}

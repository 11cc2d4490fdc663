//! The least that any proxy must do: HTTP or gRPC in, one stream to the user function per entity, every event on disk
//! before the answer, an empty message out. No lifecycle, replay, routing or errors: whatever is unexpected ends it.

mod entity;
mod journal;

use std::{convert::Infallible, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use prost::Message;
use tokio::net::TcpListener;

use crate::{Error, contract::By};
use entity::Entities;
use journal::Journal;

/// Serves on any free port, which it prints, until killed. Keeps events in `store`, if there is one.
pub(super) async fn serve(user_function: u16, store: Option<PathBuf>) -> Result<(), Error> {
    let journal = store.map(|path| Journal::open(&path)).transpose()?;
    let entities = Arc::new(Entities::new(user_function, journal)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let entities = Arc::clone(&entities);
        let service = service_fn(move |request| answer(request, Arc::clone(&entities)));
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            builder.serve_connection(TokioIo::new(tcp), service).await
        });
    }
}

type Body = Either<Full<Bytes>, StreamBody<tokio_stream::Iter<std::array::IntoIter<Sent, 2>>>>;
type Sent = Result<Frame<Bytes>, Infallible>;

async fn answer(request: Request<Incoming>, entities: Arc<Entities>) -> Result<Response<Body>, Error> {
    let is_grpc = request.headers().get(header::CONTENT_TYPE).is_some_and(|it| it == "application/grpc");
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if is_grpc {
        let payload = body.slice(5..);
        entities.increase(By::decode(payload.clone())?.id, payload).await?;
        return Ok(grpc_response());
    }
    let id = head.uri.path().strip_prefix("/counters/").ok_or("no such path")?.to_owned();
    let json: serde_json::Value = serde_json::from_slice(&body)?;
    let amount = json["amount"].as_i64().ok_or("no amount")?;
    let payload = By { id: id.clone(), amount }.encode_to_vec().into();
    entities.increase(id, payload).await?;
    let mut response = Response::new(Either::Left(Full::from("{}")));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn grpc_response() -> Response<Body> {
    let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
    let trailers = HeaderMap::from_iter([status]);
    let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)];
    let body = StreamBody::new(tokio_stream::iter(frames.map(Ok)));
    let mut response = Response::new(Either::Right(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

//! From the replies of a streamed call to an HTTP response that goes on: JSON line by line, server-sent events, or raw
//! bytes.

use std::{pin::Pin, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use cloudstate_proto::{Metadata, metadata_entry};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Response, header};
use tokio::time::{Instant, sleep};

use super::{
    ResponseBody,
    http_rule::Binding,
    refusal::Refusal,
    response::{Shown, content_type, decode_raw},
    response_body::BrokenOff,
};
use crate::{
    frontend::{
        begun::{Begun, begin},
        metadata,
    },
    routing::{BoxStream, Replies},
};

/// An idle stream of events says this often that it lives, so that nobody on the way takes it for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A comment, which clients skip.
const HEARTBEAT_TEXT: &[u8] = b":\n\n";

/// The response that carries `replies` to the client.
pub(super) async fn from_replies(
    binding: &Binding,
    request: &HeaderMap,
    replies: Replies,
) -> Result<Response<ResponseBody>, Refusal> {
    let shown = Shown::of(binding);
    let form = Form::of(&shown, request);
    let begun = begin(replies).await?;
    let mut response = Response::new(ResponseBody::default());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, form.content_type(&begun)?);
    if form == Form::Events {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    metadata::add_to(headers, begun.metadata.clone());
    let pieces = begun.messages().map(move |message| {
        let chunk = message.map_err(|failure| failure.description).and_then(|message| shown.chunk(message));
        chunk.map(|chunk| form.framed(chunk)).map_err(broken_off)
    });
    let pieces =
        if form == Form::Events { with_heartbeats(HEARTBEAT, pieces.boxed()) } else { pieces.boxed() };
    *response.body_mut() = ResponseBody::pieces(pieces);
    Ok(response)
}

/// The client sees no more than that the response ends too early.
fn broken_off(why: String) -> BrokenOff {
    tracing::debug!("a stream of replies broke off: {why}");
    BrokenOff(why)
}

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A line each.
    Lines {
        /// The client knows the name of that.
        is_named: bool,
    },
    /// `text/event-stream`: an event each.
    Events,
    /// Not at all.
    Raw,
}

impl Form {
    fn of(shown: &Shown, request: &HeaderMap) -> Self {
        if *shown == Shown::Raw {
            return Form::Raw;
        }
        let accepts = |media_type: &str| {
            let mut values = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
            values.any(|value| value.to_ascii_lowercase().contains(media_type))
        };
        match accepts("text/event-stream") {
            true => Form::Events,
            false => Form::Lines { is_named: accepts("application/x-ndjson") },
        }
    }

    fn content_type(self, begun: &Begun) -> Result<HeaderValue, Refusal> {
        match self {
            Form::Lines { is_named: true } => Ok(HeaderValue::from_static("application/x-ndjson")),
            // As the reference proxy has it.
            Form::Lines { is_named: false } => Ok(HeaderValue::from_static("application/json")),
            Form::Events => Ok(HeaderValue::from_static("text/event-stream")),
            Form::Raw => raw_content_type(begun),
        }
    }

    fn framed(self, chunk: Bytes) -> Bytes {
        let (before, after): (&[u8], &[u8]) = match self {
            Form::Lines { .. } => (b"", b"\n"),
            Form::Events => (b"data: ", b"\n\n"),
            Form::Raw => return chunk,
        };
        let mut framed = BytesMut::with_capacity(before.len() + chunk.len() + after.len());
        framed.put_slice(before);
        framed.put_slice(&chunk);
        framed.put_slice(after);
        framed.freeze()
    }
}

/// Said by the first reply: in its metadata, or in its message.
fn raw_content_type(begun: &Begun) -> Result<HeaderValue, Refusal> {
    if let Some(text) = content_type_of(&begun.metadata) {
        return content_type(text);
    }
    let first = begun.first.clone().and_then(|first| decode_raw(first).ok());
    match first {
        Some(body) if !body.content_type.is_empty() => content_type(&body.content_type),
        _ => Ok(HeaderValue::from_static("application/octet-stream")),
    }
}

fn content_type_of(metadata: &Metadata) -> Option<&str> {
    let entry = metadata.entries.iter().find(|entry| entry.key.eq_ignore_ascii_case("content-type"))?;
    match entry.value.as_ref()? {
        metadata_entry::Value::StringValue(text) => Some(text),
        metadata_entry::Value::BytesValue(_) => None,
    }
}

type Pieces = BoxStream<Result<Bytes, BrokenOff>>;

fn with_heartbeats(interval: Duration, pieces: Pieces) -> Pieces {
    let heart = Box::pin(sleep(interval));
    stream::unfold((pieces, heart), move |(mut pieces, mut heart)| async move {
        Pin::as_mut(&mut heart).reset(Instant::now() + interval);
        let piece = tokio::select! {
            biased;
            piece = pieces.next() => piece?,
            () = &mut heart => Ok(Bytes::from_static(HEARTBEAT_TEXT)),
        };
        Some((piece, (pieces, heart)))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_heart_beats_while_nothing_comes_and_stops_with_the_stream() {
        let (sender, pieces) = tokio::sync::mpsc::channel(1);
        let pieces = tokio_stream::wrappers::ReceiverStream::new(pieces).boxed();
        let mut pieces = with_heartbeats(Duration::from_millis(1), pieces);
        for _ in 0..2 {
            assert_eq!(pieces.next().await.unwrap().unwrap(), ":\n\n");
        }
        sender.send(Ok(Bytes::from_static(b"data: 1\n\n"))).await.unwrap();
        drop(sender);
        let rest: Vec<_> = pieces.map(Result::unwrap).collect().await;
        let (last, beats) = rest.split_last().unwrap();
        assert_eq!(last, "data: 1\n\n");
        assert!(beats.iter().all(|beat| beat == ":\n\n"));
    }
}

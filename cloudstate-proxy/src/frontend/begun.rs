//! A streamed call whose response headers are known.

use std::{future::ready, time::Duration};

use bytes::Bytes;
use cloudstate_proto::Metadata;
use futures_util::{StreamExt, stream};

use crate::routing::{BoxStream, Failure, Replies, Reply};

/// How long headers wait for the first reply, which may bring some. A client that waits for headers before it sends
/// its first request must not wait for long, since nothing is replied to nothing.
const GRACE: Duration = Duration::from_millis(200);

/// What follows the headers.
pub(super) struct Begun {
    /// Of the first reply, if it came in time.
    pub(super) metadata: Metadata,
    /// The first message, if it came with them.
    pub(super) first: Option<Bytes>,
    /// The messages after it; they end after the first `Err`.
    pub(super) rest: BoxStream<Result<Bytes, Failure>>,
}

/// Waits until it is known what the headers say.
///
/// # Errors
///
/// The call has failed before it replied anything.
pub(super) async fn begin(mut replies: Replies) -> Result<Begun, Failure> {
    let Reply { metadata, payload } = match tokio::time::timeout(GRACE, replies.next()).await {
        Ok(Some(reply)) => reply?,
        // A stream that has ended must not be asked again.
        Ok(None) => {
            let rest = stream::empty().boxed();
            return Ok(Begun { metadata: Metadata::default(), first: None, rest });
        }
        Err(_) => Reply::default(),
    };
    // A reply without a message only releases the headers.
    let rest = replies.filter_map(|reply| ready(reply.map(|reply| reply.payload).transpose())).boxed();
    Ok(Begun { metadata: metadata.unwrap_or_default(), first: payload, rest })
}

impl Begun {
    /// All messages.
    pub(super) fn messages(self) -> BoxStream<Result<Bytes, Failure>> {
        match self.first {
            Some(first) => stream::iter([Ok(first)]).chain(self.rest).boxed(),
            None => self.rest,
        }
    }
}

//! One reply out of many, for a caller that takes one.

use futures_util::StreamExt;

use super::{NoReply, TypedReplies, TypedReply};

/// The first reply with a message, under the headers of the first reply of all. What comes after it is cancelled.
pub(super) async fn first(mut replies: TypedReplies) -> Result<TypedReply, NoReply> {
    let Some(first) = replies.next().await else { return Ok(TypedReply::default()) };
    let mut first = first?;
    while first.payload.is_none() {
        let Some(next) = replies.next().await else { break };
        first.payload = next?.payload;
    }
    Ok(first)
}

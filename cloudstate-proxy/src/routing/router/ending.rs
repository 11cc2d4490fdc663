//! How streams of replies end.

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep_until};

use super::{CallSpan, overdue};
use crate::routing::{Failure, NoReply, Replies, TypedReplies, no_reply::Asked};

/// Fails the replies if they last too long.
pub(super) fn until_deadline(deadline: Instant, asked: Asked, replies: TypedReplies) -> TypedReplies {
    let overdue_at = Box::pin(sleep_until(deadline));
    let replies = stream::unfold((replies, overdue_at), move |(mut replies, mut overdue_at)| {
        let asked = asked.clone();
        async move {
            let reply = tokio::select! {
                biased;
                reply = replies.next() => reply?,
                () = &mut overdue_at => Err(asked.broken(overdue())),
            };
            Some((reply, (replies, overdue_at)))
        }
    });
    replies.boxed()
}

/// Ends the replies with the first failure, of which whoever calls is told by `tell`, and cancels what would come after
/// it.
pub(super) fn until_failure(
    replies: TypedReplies,
    tell: impl Fn(NoReply) -> Failure + Send + 'static,
) -> Replies {
    let replies = stream::unfold(Some((replies, tell)), |state| async {
        let (mut replies, tell) = state?;
        match replies.next().await? {
            Ok(reply) => Some((Ok(reply.into()), Some((replies, tell)))),
            Err(no_reply) => Some((Err(tell(no_reply)), None)),
        }
    });
    replies.boxed()
}

/// Ends `span` with the last of the replies; with the first if there `is_one`, for whoever takes it may not ask for
/// another.
pub(super) fn until_end(span: CallSpan, is_one: bool, replies: TypedReplies) -> TypedReplies {
    let replies = stream::unfold(Some((span, replies)), move |state| async move {
        let (span, mut replies) = state?;
        match replies.next().await {
            None => {
                span.end(None);
                None
            }
            Some(Err(failed)) => {
                span.end(Some(failed.failure()));
                Some((Err(failed), None))
            }
            Some(Ok(reply)) if is_one => {
                span.end(None);
                Some((Ok(reply), Some((CallSpan::default(), replies))))
            }
            Some(Ok(reply)) => Some((Ok(reply), Some((span, replies)))),
        }
    });
    replies.boxed()
}

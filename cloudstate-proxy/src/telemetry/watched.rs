//! Streams whose end somebody wants to know.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream;

use crate::{code::Code, routing::BoxStream};

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// What the last failure in it was.
    pub(crate) failure: Option<Code>,
    /// It was dropped before its end.
    pub(crate) early: bool,
}

/// `stream`, which tells `ended` once when it is over; `failure` finds the code in an item.
pub(crate) fn watched<T: 'static>(
    stream: BoxStream<T>,
    failure: fn(&T) -> Option<Code>,
    ended: impl FnOnce(Ended) + Send + Unpin + 'static,
) -> BoxStream<T> {
    Box::pin(Watched { stream, find: failure, failure: None, ended: Some(ended) })
}

struct Watched<T, F: FnOnce(Ended)> {
    stream: BoxStream<T>,
    find: fn(&T) -> Option<Code>,
    failure: Option<Code>,
    ended: Option<F>,
}

impl<T, F: FnOnce(Ended)> Watched<T, F> {
    fn end(&mut self, early: bool) {
        if let Some(ended) = self.ended.take() {
            ended(Ended { failure: self.failure, early });
        }
    }
}

impl<T, F: FnOnce(Ended) + Unpin> Stream for Watched<T, F> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let watched = self.get_mut();
        let item = watched.stream.as_mut().poll_next(context);
        match &item {
            Poll::Ready(Some(item)) => watched.failure = (watched.find)(item).or(watched.failure),
            Poll::Ready(None) => watched.end(false),
            Poll::Pending => {}
        }
        item
    }
}

impl<T, F: FnOnce(Ended)> Drop for Watched<T, F> {
    fn drop(&mut self) {
        self.end(true);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    /// What is told of a stream of which so many items are taken.
    fn told(items: &[Option<Code>], taken: usize) -> Vec<Ended> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let items = stream::iter(items.to_vec()).boxed();
        let mut stream = watched(items, |item| *item, move |ended| hears.lock().unwrap().push(ended));
        for _ in 0..taken {
            let _ = stream.next().now_or_never();
        }
        drop(stream);
        told.lock().unwrap().clone()
    }

    #[test]
    fn the_end_is_told_once() {
        let failed = Some(Code::NotFound);
        let ended = |failure, early| vec![Ended { failure, early }];
        assert_eq!(told(&[None, None], 3), ended(None, false));
        assert_eq!(told(&[None, None], 1), ended(None, true));
        assert_eq!(told(&[None, failed], 3), ended(failed, false));
        assert_eq!(told(&[None, failed], 2), ended(failed, true));
        assert_eq!(told(&[], 0), ended(None, true));
    }
}

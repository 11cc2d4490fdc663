//! What the proxy wants of a live entity beside its commands.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicU8, Ordering},
    task::Poll,
};

use futures_util::task::AtomicWaker;

/// Something that an entity is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Tell clients that listen that this is all: the proxy is about to stop.
    CompleteStreams = 1,
    /// Finish what is here and end: the proxy stops.
    Drain = 2,
    /// Passivate, though the time has not come: others need the room.
    Leave = 4,
}

/// The wishes that one entity has not heard of. Waiting for one touches nothing that other entities touch.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// A bit for each.
    open: AtomicU8,
    /// Of the entity.
    task: AtomicWaker,
}

impl Wishes {
    pub(super) fn ask(&self, wish: Wish) {
        self.open.fetch_or(wish as u8, Ordering::Release);
        self.task.wake();
    }

    /// Resolves to a wish, and forgets it; one to leave waits until the entity `is_idle`. For one task; can be dropped
    /// and called again.
    pub(crate) async fn next(&self, is_idle: bool) -> Wish {
        poll_fn(|context| {
            // Before the wishes are looked at, so that none is missed.
            self.task.register(context.waker());
            self.take(is_idle).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn take(&self, is_idle: bool) -> Option<Wish> {
        let open = self.open.load(Ordering::Acquire);
        let is_open = |wish: &Wish| open & *wish as u8 != 0 && (*wish != Wish::Leave || is_idle);
        let wish = [Wish::CompleteStreams, Wish::Drain, Wish::Leave].into_iter().find(is_open)?;
        self.open.fetch_and(!(wish as u8), Ordering::Relaxed);
        Some(wish)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn each_wish_is_told_once() {
        let wishes = Wishes::default();
        for wish in [Wish::Drain, Wish::CompleteStreams, Wish::Drain] {
            wishes.ask(wish);
        }
        assert_eq!(wishes.next(false).await, Wish::CompleteStreams);
        assert_eq!(wishes.next(false).await, Wish::Drain);
        assert_eq!(wishes.take(true), None);
    }

    #[tokio::test]
    async fn only_an_idle_entity_hears_that_it_should_leave() {
        let wishes = Wishes::default();
        wishes.ask(Wish::Leave);
        assert_eq!(wishes.take(false), None);
        assert_eq!(wishes.next(true).await, Wish::Leave);
    }

    #[tokio::test(start_paused = true)]
    async fn an_entity_that_waits_is_woken() {
        let wishes = Arc::new(Wishes::default());
        let entity = Arc::clone(&wishes);
        let waiting = tokio::spawn(async move { entity.next(false).await });
        tokio::task::yield_now().await;
        wishes.ask(Wish::Drain);
        let wish = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
        assert_eq!(wish, Wish::Drain);
    }
}

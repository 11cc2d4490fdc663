//! Calls of every shape in a unit test, which decides when requests come and when the caller goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloudstate_sdk::action::testkit::TestKit;
use cloudstate_sdk::action::*;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

include!("../contract/generated/cloudstate.rs");
use com::example::sums::{Count, Number, sums};

/// Counts the handlers that wait or whose replies are not at their end.
#[derive(Clone, Default)]
struct Open(Arc<AtomicUsize>);

struct Guard(Open);

impl Open {
    fn enter(&self) -> Guard {
        self.0.fetch_add(1, Ordering::SeqCst);
        Guard(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Generic, so that nobody discovers it: other tests serve this service.
#[action(service = sums)]
struct Sums<const DISCOVERED: bool> {
    open: Open,
}

impl<const D: bool> ActionService for Sums<D> {
    type Error = Failure;
}

impl<const D: bool> sums::Action for Sums<D> {
    async fn square(&self, _: Number, context: &Context) -> Reply<Self, Number> {
        let _guard = self.open.enter();
        if context.command_name() == "Square" { std::future::pending().await } else { Ok(Effect::none()) }
    }

    async fn sum(&self, mut numbers: Requests<Number>, _: &Context) -> Reply<Self, Number> {
        let _guard = self.open.enter();
        let mut value = 0;
        while let Some(number) = numbers.try_next().await? {
            value += number.value;
        }
        Ok(Number { value }.into())
    }

    async fn count_to(&self, count: Count, _: &Context) -> StreamReply<Self, Number> {
        if count.to < 0 {
            return Err(Failure::invalid_argument("there is no counting down"));
        }
        let guard = self.open.enter();
        Ok(Replies::from_effects(stream::iter(1..=count.to).map(move |value| {
            let _there = &guard;
            match value {
                2 => Ok(Effect::forward(sums::count_to(Count { to: 1 }).into())),
                3 => Err(Failure::new("three")),
                _ => Ok(Number { value }.into()),
            }
        })))
    }

    async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number> {
        let guard = self.open.enter();
        let mut value = 0;
        Ok(Replies::from_stream(numbers.map_ok(move |number| {
            let _there = &guard;
            value += number.value;
            Number { value }
        })))
    }
}

fn number(value: i64) -> Number {
    Number { value }
}

fn sums_kit() -> (Open, TestKit<Sums<false>>) {
    let open = Open::default();
    (open.clone(), TestKit::new(Sums { open }))
}

fn channel() -> (mpsc::UnboundedSender<Result<Number, Failure>>, Requests<Number>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Requests::from_stream(UnboundedReceiverStream::new(receiver)))
}

#[tokio::test]
async fn replies_are_computed_as_they_are_asked_for() {
    let (open, kit) = sums_kit();
    let (requests, numbers) = channel();
    let mut running = kit.stream(sums::running(numbers));
    assert_eq!(open.count(), 0, "nothing runs before it is polled");
    for (value, sum) in [(1, 1), (2, 3), (3, 6)] {
        assert!(running.next().now_or_never().is_none(), "there is no request to answer");
        requests.send(Ok(number(value))).unwrap();
        assert_eq!(running.next().await.unwrap().reply().value, sum);
    }
    drop(requests);
    assert!(running.next().await.is_none());
    assert_eq!(open.count(), 0);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_the_handler_with_it() {
    let (open, kit) = sums_kit();
    let (_requests, numbers) = channel();
    let mut running = kit.stream(sums::running(numbers));
    assert!(running.next().now_or_never().is_none());
    let (_requests, numbers) = channel();
    let mut sum = Box::pin(kit.call(sums::sum(numbers)));
    assert!(sum.as_mut().now_or_never().is_none());
    let mut square = Box::pin(kit.call(sums::square(number(1))));
    assert!(square.as_mut().now_or_never().is_none());
    assert_eq!(open.count(), 3);
    drop(running);
    drop(sum);
    assert_eq!(open.count(), 1);
    drop(square);
    assert_eq!(open.count(), 0);
}

#[tokio::test]
async fn elements_are_replies_forwards_and_failures() {
    let (_, kit) = sums_kit();
    let outcomes: Vec<_> = kit.stream(sums::count_to(Count { to: 4 })).collect().await;
    assert_eq!(outcomes[0].reply().value, 1);
    assert_eq!(outcomes[1].forwarded_to.as_ref().map(ServiceCall::command), Some("CountTo"));
    assert_eq!(outcomes[2].failure().message, "three");
    assert!(!outcomes[2].closes_call);
    assert_eq!(outcomes[3].reply().value, 4);
    let refused: Vec<_> = kit.stream(sums::count_to(Count { to: -1 })).collect().await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].failure().code, Code::InvalidArgument);
}

#[tokio::test]
async fn a_request_that_cannot_be_read_reaches_the_handler() {
    let (_, kit) = sums_kit();
    let (requests, numbers) = channel();
    requests.send(Ok(number(1))).unwrap();
    requests.send(Err(Failure::unavailable("gone"))).unwrap();
    assert_eq!(kit.call(sums::sum(numbers)).await.failure().message, "gone");
    let all = Requests::from_messages([number(1), number(2)]);
    assert_eq!(kit.call(sums::sum(all)).await.reply().value, 3);
}

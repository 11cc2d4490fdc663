include!("../parts/action_contract.rs");

use cloudstate_sdk::action::testkit::{Outcome, TestKit};

/// With a dependency, a type parameter and an error type of its own.
#[action(service = sums)]
pub struct Sums<L: Limit> {
    limit: L,
}

pub trait Limit: Send + Sync + 'static {
    fn largest(&self) -> i64;
}

#[derive(Debug)]
pub enum SumError {
    TooLarge(i64),
    Unreadable(Failure),
}

impl From<SumError> for Failure {
    fn from(error: SumError) -> Self {
        match error {
            SumError::TooLarge(value) => Failure::out_of_range(format!("{value} is too large")),
            SumError::Unreadable(failure) => failure,
        }
    }
}

impl From<Failure> for SumError {
    fn from(failure: Failure) -> Self {
        Self::Unreadable(failure)
    }
}

impl<L: Limit> ActionService for Sums<L> {
    type Error = SumError;
}

impl<L: Limit> sums::Action for Sums<L> {
    async fn square(&self, number: Number, _: &Context) -> Reply<Self, Number, SumError> {
        self.checked(number.value * number.value)
    }

    async fn sum(&self, mut numbers: Requests<Number>, _: &Context) -> Reply<Self, Number, SumError> {
        let mut value = 0;
        while let Some(number) = numbers.try_next().await? {
            value += number.value;
        }
        self.checked(value)
    }

    async fn count_to(&self, count: Count, context: &Context) -> StreamReply<Self, Number, SumError> {
        let name = context.command_name().to_owned();
        Ok(Replies::from_effects(stream::iter(1..=count.to).map(move |value| match value {
            1 => Ok(Effect::none().side_effect(sums::square(Number { value }))),
            2 => Ok(Effect::failure(Failure::new(name.clone()))),
            3 => Err(Failure::new("three")),
            _ => Ok(Number { value }.into()),
        })))
    }

    async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number, SumError> {
        Ok(Replies::from_stream(numbers))
    }
}

impl<L: Limit> Sums<L> {
    fn checked(&self, value: i64) -> Reply<Self, Number, SumError> {
        if value > self.limit.largest() { Err(SumError::TooLarge(value)) } else { Ok(Number { value }.into()) }
    }
}

#[derive(Clone, Copy)]
struct Ten;

impl Limit for Ten {
    fn largest(&self) -> i64 {
        10
    }
}

fn main() {
    // Registered by hand, because a generic type cannot be found.
    let _ = cloudstate_sdk::CloudState::new().register_action(Sums { limit: Ten }).register_with(|_| Sums { limit: Ten });
    let outcome = run(TestKit::new(Sums { limit: Ten }).call(sums::square(Number { value: 4 })));
    assert_eq!(outcome.failure().message, "16 is too large");
    let replies = run(sums::Action::count_to(&Sums { limit: Ten }, Count { to: 4 }, &Context::default()));
    let outcomes = run(Outcome::all(replies));
    assert_eq!(outcomes[0].side_effects.len(), 1);
    assert_eq!(outcomes[2].failure().message, "three");
    assert_eq!(outcomes[3].reply().value, 4);
}

/// Nothing here waits.
fn run<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

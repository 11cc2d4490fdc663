// The action that doc examples and tests use; below `use` what `include_protos!()` brings.
use cloudstate_sdk::action::*;
use com::example::sums::{Count, Number, sums};

#[action(service = sums)]
#[derive(Default)]
pub struct Sums;

impl ActionService for Sums {
    type Error = Failure;
}

impl sums::Action for Sums {
    async fn square(&self, number: Number, _: &Context) -> Reply<Self, Number> {
        let square = number.value.checked_mul(number.value);
        let value = square.ok_or_else(|| Failure::invalid_argument("the number is too large"))?;
        Ok(Number { value }.into())
    }

    async fn sum(&self, mut numbers: Requests<Number>, _: &Context) -> Reply<Self, Number> {
        let mut value: i64 = 0;
        while let Some(number) = numbers.try_next().await? {
            value += number.value;
        }
        Ok(Number { value }.into())
    }

    async fn count_to(&self, count: Count, _: &Context) -> StreamReply<Self, Number> {
        Ok(Replies::from_stream(stream::iter(1..=count.to).map(|value| Ok(Number { value }))))
    }

    async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number> {
        let mut value = 0;
        Ok(Replies::from_stream(numbers.map_ok(move |number| {
            value += number.value;
            Number { value }
        })))
    }
}

include!("../parts/action_contract.rs");

#[action(service = sums)]
#[derive(Default)]
pub struct Sums;

pub enum SumError {
    TooLarge,
}

impl ActionService for Sums {
    type Error = SumError;
}

impl sums::Action for Sums {
    async fn square(&self, number: Number, _: &Context) -> Reply<Self, Number, SumError> {
        Ok(number.into())
    }

    async fn sum(&self, _: Requests<Number>, _: &Context) -> Reply<Self, Number, SumError> {
        Ok(Effect::none())
    }

    async fn count_to(&self, count: Count, _: &Context) -> StreamReply<Self, Number, SumError> {
        Ok(Replies::from_stream(stream::iter(1..=count.to).map(|value| Ok(Number { value }))))
    }

    async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number, SumError> {
        Ok(Replies::from_stream(numbers))
    }
}

fn main() {}

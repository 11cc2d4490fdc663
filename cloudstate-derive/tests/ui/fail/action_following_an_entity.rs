include!("../parts/action_contract.rs");
include!("../parts/action.rs");

impl sums::Action for Sums {
    async fn square(&self, number: Number, _: &Context) -> Reply<Self, Number> {
        Ok(number.into())
    }

    async fn sum(&self, _: Requests<Number>, _: &Context) -> Reply<Self, Number> {
        Ok(Effect::none())
    }

    async fn count_to(&self, _: Count, _: &Context) -> StreamReply<Self, Number> {
        Ok(Effect::stream(Number { value: 1 }))
    }

    async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number> {
        Ok(Replies::from_stream(numbers))
    }
}

fn main() {}

impl sums::Action for Sums {
    async fn square(&self, number: Number, _: &Context) -> Reply<Self, Number> {
        Ok(number.into())
    }

    async fn sum(&self, _: Requests<Number>, _: &Context) -> Reply<Self, Number> {
        Ok(Effect::none())
    }

    async fn count_to(&self, count: Count, _: &Context) -> StreamReply<Self, Number> {
        Ok(Replies::from_stream(stream::iter(1..=count.to).map(|value| Ok(Number { value }))))
    }

    async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number> {
        Ok(Replies::from_stream(numbers))
    }
}

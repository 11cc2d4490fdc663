//! An action that does what each request says: the protocol's model for conformance tests.

use cloudstate_sdk::action::*;

use crate::cart::cloudstate::tck::model::action::{
    OtherRequest, ProcessGroup, Request, Response, action_tck_model, action_two, process_step::Step,
};

pub(crate) const MODEL: &str = "cloudstate.tck.model.action.ActionTckModel";
pub(crate) const TWO: &str = "cloudstate.tck.model.action.ActionTwo";

#[action(service = action_tck_model)]
#[derive(Default)]
pub(crate) struct ActionModel;

impl ActionService for ActionModel {
    type Error = Failure;
}

impl action_tck_model::Action for ActionModel {
    async fn process_unary(&self, request: Request, _: &Context) -> Reply<Self, Response> {
        Ok(answer(request.groups))
    }

    async fn process_streamed_in(
        &self,
        mut requests: Requests<Request>,
        _: &Context,
    ) -> Reply<Self, Response> {
        let mut groups = Vec::new();
        while let Some(request) = requests.try_next().await? {
            groups.extend(request.groups);
        }
        Ok(answer(groups))
    }

    async fn process_streamed_out(&self, request: Request, _: &Context) -> StreamReply<Self, Response> {
        Ok(Replies::from_effects(answers(request)))
    }

    async fn process_streamed(
        &self,
        requests: Requests<Request>,
        _: &Context,
    ) -> StreamReply<Self, Response> {
        Ok(Replies::from_effects(requests.map_ok(answers).try_flatten()))
    }
}

/// A response for each group.
fn answers(request: Request) -> impl Stream<Item = Reply<ActionModel, Response>> {
    stream::iter(request.groups).map(|group| Ok(answer([group])))
}

/// Folds all groups into one response: the last outcome counts, the side effects add up.
fn answer(groups: impl IntoIterator<Item = ProcessGroup>) -> CommandEffect<ActionModel, Response> {
    let (mut effect, mut calls) = (Effect::none(), Vec::new());
    let steps = groups.into_iter().flat_map(|group| group.steps).filter_map(|step| step.step);
    for step in steps {
        match step {
            Step::Reply(reply) => effect = Response { message: reply.message }.into(),
            Step::Forward(to) => effect = Effect::forward(two(to.id)),
            Step::Fail(fail) => effect = Effect::failure(Failure::new(fail.message)),
            Step::Effect(to) => calls.push((two(to.id), to.synchronous)),
        }
    }
    calls.into_iter().fold(effect, |effect, (call, synchronous)| {
        if synchronous { effect.synchronous_side_effect(call) } else { effect.side_effect(call) }
    })
}

fn two(id: String) -> ServiceCall<Response> {
    action_two::call(OtherRequest { id })
}

#[action(service = action_two)]
#[derive(Default)]
pub(crate) struct ActionTwo;

impl ActionService for ActionTwo {
    type Error = Failure;
}

impl action_two::Action for ActionTwo {
    async fn call(&self, _: OtherRequest, _: &Context) -> Reply<Self, Response> {
        Ok(Response::default().into())
    }
}

pub(crate) mod vices {
    //! An action that does what no action should, as the number that it gets says.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cloudstate_sdk::action::*;
    use tokio::sync::Semaphore;

    use crate::cart::com::example::sums::{Count, Number, sums};

    pub(crate) const SUMS: &str = "com.example.sums.Sums";

    pub(crate) const REFUSE: i64 = -1;
    pub(crate) const PANIC: i64 = -2;
    pub(crate) const HANG: i64 = -3;
    pub(crate) const HUGE: i64 = -4;
    pub(crate) const EARLY_PANIC: i64 = -5;

    /// Shared by all calls, which tell the test through it what they do.
    #[action(service = sums)]
    #[derive(Clone)]
    pub(crate) struct Vices {
        pub(crate) hanging: Arc<Semaphore>,
        pub(crate) dropped: Arc<Semaphore>,
        pub(crate) produced: Arc<AtomicUsize>,
    }

    impl Default for Vices {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Vices {
        pub(crate) fn new() -> Self {
            Self {
                hanging: Arc::new(Semaphore::new(0)),
                dropped: Arc::new(Semaphore::new(0)),
                produced: Arc::default(),
            }
        }

        /// Never returns. The test hears when it has begun, and when it is dropped.
        async fn hang(&self) {
            struct OnDrop(Arc<Semaphore>);
            impl Drop for OnDrop {
                fn drop(&mut self) {
                    self.0.add_permits(1);
                }
            }
            let _guard = OnDrop(Arc::clone(&self.dropped));
            self.hanging.add_permits(1);
            std::future::pending::<()>().await;
        }

        async fn answer(&self, value: i64) -> Result<Number, Failure> {
            match value {
                REFUSE => return Err(Failure::not_found("no such number")),
                PANIC => panic!("a secret"),
                HANG => self.hang().await,
                _ => {}
            }
            Ok(Number { value })
        }
    }

    impl ActionService for Vices {
        type Error = Failure;
    }

    impl sums::Action for Vices {
        async fn square(&self, number: Number, context: &Context) -> Reply<Self, Number> {
            let Number { value } = self.answer(number.value).await?;
            let mut metadata = Metadata::new();
            for name in context.metadata().get_all("echo") {
                metadata.append("Echo", name);
            }
            if value == HUGE {
                metadata.insert("padding", "x".repeat(2_000_000));
            }
            let reply = Effect::reply(Number { value: value * value });
            Ok(reply.with_reply_metadata(metadata))
        }

        async fn sum(&self, mut numbers: Requests<Number>, _: &Context) -> Reply<Self, Number> {
            let mut value = 0;
            while let Some(number) = numbers.try_next().await? {
                value += self.answer(number.value).await?.value;
            }
            Ok(Number { value }.into())
        }

        async fn count_to(&self, count: Count, _: &Context) -> StreamReply<Self, Number> {
            if count.to == EARLY_PANIC {
                panic!("a secret");
            }
            if count.to == REFUSE {
                return Err(Failure::not_found("no such number"));
            }
            let produced = Arc::clone(&self.produced);
            let padding = if count.to == HUGE { 1 << 20 } else { 0 };
            let last = if count.to == HUGE { i64::MAX } else { count.to };
            Ok(Replies::from_effects(stream::iter(1..=last).map(move |value| {
                produced.fetch_add(1, Ordering::SeqCst);
                let mut metadata = Metadata::new();
                if padding > 0 {
                    metadata.insert("padding", "x".repeat(padding));
                }
                Ok(Effect::reply(Number { value }).with_reply_metadata(metadata))
            })))
        }

        async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number> {
            let this = self.clone();
            Ok(Replies::from_stream(numbers.then(move |number| {
                let this = this.clone();
                async move { this.answer(number?.value).await }
            })))
        }
    }
}

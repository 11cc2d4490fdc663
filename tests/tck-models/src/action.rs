//! The action models.

use cloudstate_sdk::action::*;

use crate::cloudstate::tck::model::action::{
    OtherRequest, ProcessGroup, Request, Response, action_tck_model, action_two, process_step::Step,
};

/// Answers as its requests say.
#[action(service = action_tck_model)]
#[derive(Default)]
struct ActionTckModel;

impl ActionService for ActionTckModel {
    type Error = Failure;
}

impl action_tck_model::Action for ActionTckModel {
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
fn answers(request: Request) -> impl Stream<Item = Reply<ActionTckModel, Response>> {
    stream::iter(request.groups).map(|group| Ok(answer([group])))
}

/// One response for all groups: the last outcome counts, the side effects add up.
fn answer(groups: impl IntoIterator<Item = ProcessGroup>) -> CommandEffect<ActionTckModel, Response> {
    let (mut effect, mut calls) = (Effect::none(), Vec::new());
    for step in groups.into_iter().flat_map(|group| group.steps).filter_map(|step| step.step) {
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

/// The target of forwards and side effects.
#[action(service = action_two)]
#[derive(Default)]
struct ActionTwo;

impl ActionService for ActionTwo {
    type Error = Failure;
}

impl action_two::Action for ActionTwo {
    async fn call(&self, _: OtherRequest, _: &Context) -> Reply<Self, Response> {
        Ok(Response::default().into())
    }
}

//! The model that subscribes to event logs.

use cloudstate_sdk::Json;
use cloudstate_sdk::action::*;

use crate::cloudstate::tck::model::eventlogeventing::{
    EffectRequest, EventOne, EventTwo, ProcessStep, Response, event_log_subscriber_model, process_step::Step,
};
use crate::event_log::JsonMessage;

/// Answers as the events say.
#[action(service = event_log_subscriber_model)]
#[derive(Default)]
struct EventLogSubscriberModel;

impl ActionService for EventLogSubscriberModel {
    type Error = Failure;
}

impl event_log_subscriber_model::Action for EventLogSubscriberModel {
    async fn process_event_one(&self, event: EventOne, context: &Context) -> Reply<Self, Response> {
        let step = event.step.unwrap_or_default();
        Ok(answer(step, entity(context)))
    }

    async fn process_event_two(&self, event: EventTwo, context: &Context) -> StreamReply<Self, Response> {
        let id = entity(context);
        Ok(Replies::from_effects(stream::iter(event.step).map(move |step| Ok(answer(step, id.clone())))))
    }

    async fn effect(&self, request: EffectRequest, _: &Context) -> Reply<Self, Response> {
        Ok(Response { id: request.id, message: request.message }.into())
    }

    async fn process_any_event(&self, event: Any, context: &Context) -> Reply<Self, Response> {
        let Json(JsonMessage { message }) = Json::from_any(&event)?;
        Ok(Response { id: entity(context), message }.into())
    }
}

fn answer(step: ProcessStep, id: String) -> CommandEffect<EventLogSubscriberModel, Response> {
    match step.step {
        Some(Step::Reply(reply)) => Response { id, message: reply.message }.into(),
        Some(Step::Forward(forward)) => {
            let request = EffectRequest { id, message: forward.message };
            Effect::forward(event_log_subscriber_model::effect(request))
        }
        None => Effect::none(),
    }
}

/// Which entity emitted the event.
fn entity(context: &Context) -> String {
    context.metadata().cloud_event().subject().unwrap_or_default().into()
}

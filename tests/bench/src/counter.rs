//! The entity of the SDK's side.

use cloudstate_sdk::event_sourced::*;

use crate::counter::bench::{By, Increased, Total, counter};

cloudstate_sdk::include_protos!();

#[event_sourced_entity(service = counter, persistence_id = "counter")]
#[derive(Default)]
pub(crate) struct Counter {
    value: i64,
}

impl EventSourcedEntity for Counter {
    type Event = Increased;
    type Error = Failure;

    fn apply(&mut self, event: Increased) {
        self.value += event.amount;
    }
}

impl counter::EventSourced for Counter {
    fn increase(&self, by: By, _: &Context) -> Reply<Self, Total> {
        Ok(Effect::persist(Increased { amount: by.amount }).then_reply(Self::total))
    }
}

impl Counter {
    fn total(&self) -> Total {
        Total { value: self.value }
    }
}

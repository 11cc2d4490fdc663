//! Event sourced: what the follower was given, repetitions included.

use cloudstate_sdk::event_sourced::*;

use crate::crash::{Echoed, Mark, Marks, Which, echo};

#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum EchoEvent {
    Echoed(Echoed),
}

#[event_sourced_entity(service = echo, persistence_id = "echo")]
#[derive(Default)]
pub(crate) struct Echo(Marks);

impl EventSourcedEntity for Echo {
    type Event = EchoEvent;
    type Error = Failure;

    fn apply(&mut self, EchoEvent::Echoed(echoed): EchoEvent) {
        self.0.ids.push(echoed.id);
        self.0.count += 1;
    }
}

impl echo::EventSourced for Echo {
    fn put(&self, Mark { id, .. }: Mark, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::persist(Echoed { id }).reply(()))
    }

    fn read(&self, _: Which, _: &Context) -> Reply<Self, Marks> {
        Ok(Effect::reply(self.0.clone()))
    }
}

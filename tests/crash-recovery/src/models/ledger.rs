//! Event sourced: two events for each mark, a snapshot now and then.

use cloudstate_sdk::event_sourced::*;

use crate::crash::{Counted, Mark, Marked, Marks, Which, ledger};

#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum LedgerEvent {
    Marked(Marked),
    Counted(Counted),
}

#[event_sourced_entity(service = ledger, persistence_id = "ledger", snapshot_every = 14)]
#[derive(Default)]
pub(crate) struct Ledger(Marks);

impl EventSourcedEntity for Ledger {
    type Event = LedgerEvent;
    type Error = Failure;

    fn apply(&mut self, event: LedgerEvent) {
        match event {
            LedgerEvent::Marked(marked) => self.0.ids.push(marked.id),
            LedgerEvent::Counted(_) => self.0.count += 1,
        }
    }
}

impl ledger::EventSourced for Ledger {
    fn put(&self, Mark { id, .. }: Mark, _: &Context) -> Reply<Self, ()> {
        let events = [LedgerEvent::Marked(Marked { id }), LedgerEvent::Counted(Counted { id })];
        Ok(Effect::persist_all(events).reply(()))
    }

    fn read(&self, _: Which, _: &Context) -> Reply<Self, Marks> {
        Ok(Effect::reply(self.0.clone()))
    }
}

impl Snapshot for Ledger {
    type Message = Marks;

    fn snapshot(&self) -> Marks {
        self.0.clone()
    }

    fn restore(&mut self, saved: Marks) {
        self.0 = saved;
    }
}

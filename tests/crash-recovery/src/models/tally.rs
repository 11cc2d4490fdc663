//! A CRDT: a set of marks and a counter, changed by one delta.

use cloudstate_sdk::crdt::*;

use crate::crash::{Mark, Marks, Which, tally};

#[derive(Crdt, Clone, Debug, Default, PartialEq)]
pub(crate) struct Marked {
    ids: GSet<u64>,
    count: GCounter,
}

#[crdt_entity(service = tally)]
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    marked: Marked,
}

impl CrdtEntity for Tally {
    type Error = Failure;
}

impl tally::Crdt for Tally {
    fn put(&mut self, Mark { id, .. }: Mark, _: &Context) -> Reply<Self, ()> {
        self.marked.ids.insert(id);
        self.marked.count.increment(1);
        Ok(Effect::reply(()))
    }

    fn read(&mut self, _: Which, _: &Context) -> Reply<Self, Marks> {
        Ok(Effect::reply(self.marks()))
    }

    fn watch(&mut self, _: Which, _: &Context) -> StreamReply<Self, Marks> {
        Ok(Effect::stream(self.marks()).on_change(|tally: &Self| Some(tally.marks())))
    }
}

impl Tally {
    fn marks(&self) -> Marks {
        let Marked { ids, count } = &self.marked;
        Marks { ids: ids.iter().copied().collect(), count: count.value() }
    }
}

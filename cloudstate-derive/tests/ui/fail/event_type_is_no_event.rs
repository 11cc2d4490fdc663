include!("../parts/contract.rs");
include!("../parts/state.rs");
include!("../parts/commands.rs");

pub enum CartEvent {
    Added(domain::ItemAdded),
    Removed(domain::ItemRemoved),
}

impl From<domain::ItemAdded> for CartEvent {
    fn from(added: domain::ItemAdded) -> Self {
        Self::Added(added)
    }
}

impl From<domain::ItemRemoved> for CartEvent {
    fn from(removed: domain::ItemRemoved) -> Self {
        Self::Removed(removed)
    }
}

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, _: CartEvent) {}
}

fn main() {}

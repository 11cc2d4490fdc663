include!("../parts/contract.rs");
include!("../parts/state.rs");
include!("../parts/commands.rs");

#[derive(Event)]
pub enum CartEvent {
    Added(domain::ItemAdded),
    Removed(domain::ItemRemoved),
    #[event(other)]
    Other(Any),
}

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, _: CartEvent) {}
}

fn main() {}

include!("../parts/contract.rs");
include!("../parts/state.rs");
include!("../parts/commands.rs");

#[derive(Event)]
pub enum CartEvent {
    #[event(alias = OldItemAdded)]
    Added(domain::ItemAdded),
    Removed(domain::ItemRemoved),

}

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, _: CartEvent) {}
}

fn main() {}

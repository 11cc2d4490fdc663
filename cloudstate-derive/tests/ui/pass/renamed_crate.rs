include!("../parts/contract.rs");
include!("../parts/commands.rs");

mod sdk {
    pub use cloudstate_sdk::*;
}

#[derive(Event)]
#[event(crate = "crate::sdk")]
pub enum CartEvent {
    Added(domain::ItemAdded),
    Removed(domain::ItemRemoved),
}

#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart", crate = "crate::sdk")]
#[derive(Default)]
pub struct Cart;

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, _: CartEvent) {}
}

fn main() {}

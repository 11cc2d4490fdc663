include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/apply.rs");
include!("../parts/commands.rs");

#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart", snapshot_every)]
#[derive(Default)]
pub struct Cart {
    items: Vec<domain::LineItem>,
}

fn main() {}

include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/apply.rs");
include!("../parts/commands.rs");

#[event_sourced_entity(service = "shopping_cart", snapshot_every = 0, passivate_after = "soon", every = 1)]
#[derive(Default)]
pub struct Cart {
    items: Vec<domain::LineItem>,
}

fn main() {}

include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/apply.rs");
include!("../parts/commands.rs");

use cloudstate_sdk::event_sourced::testkit::TestKit;

#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart")]
pub struct Cart {
    items: Vec<domain::LineItem>,
    owner: String,
}

fn main() {
    let cart = TestKit::created_by("c1", |context| Cart { items: Vec::new(), owner: context.entity_id().into() });
    assert_eq!(cart.state().owner, "c1");
}

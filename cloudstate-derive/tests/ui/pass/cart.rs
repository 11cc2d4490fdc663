include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/state.rs");
include!("../parts/apply.rs");
include!("../parts/commands.rs");

use cloudstate_sdk::event_sourced::testkit::TestKit;

fn main() {
    let mut cart = TestKit::<Cart>::new("c1");
    let added = cart.call(shopping_cart::add_item(api::AddLineItem::default()));
    assert_eq!(added.events, [CartEvent::Added(domain::ItemAdded { item: Some(domain::LineItem::default()) })]);
    assert_eq!(cart.state().items.len(), 1);
}

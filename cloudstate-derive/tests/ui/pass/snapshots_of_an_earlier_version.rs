include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/state.rs");
include!("../parts/apply.rs");
include!("../parts/commands.rs");

use cloudstate_sdk::event_sourced::testkit::TestKit;

// No `snapshot_every` on the attribute: none are taken, stored ones are restored.
impl Snapshot for Cart {
    type Message = domain::Cart;

    fn snapshot(&self) -> domain::Cart {
        domain::Cart { items: self.items.clone() }
    }

    fn restore(&mut self, saved: domain::Cart) {
        self.items = saved.items;
    }
}

fn main() {
    let saved = domain::Cart { items: vec![domain::LineItem::default()] };
    let mut cart = TestKit::<Cart>::new("c1").with_snapshot(99, saved);
    assert_eq!(cart.state().items.len(), 1);
    assert_eq!(cart.call(shopping_cart::add_item(api::AddLineItem::default())).snapshot, None);
}

include!("../parts/contract.rs");
include!("../parts/state.rs");

use cloudstate_sdk::event_sourced::testkit::TestKit;

impl EventSourcedEntity for Cart {
    type Event = domain::ItemAdded;
    type Error = Failure;

    fn apply(&mut self, event: domain::ItemAdded) {
        self.items.extend(event.item);
    }
}

impl shopping_cart::EventSourced for Cart {
    fn add_item(&self, _: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
        let item = Some(domain::LineItem::default());
        Ok(Effect::persist(domain::ItemAdded { item }).reply(()))
    }

    fn remove_item(&self, _: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
        Ok(Effect::reply(api::Cart::default()))
    }
}

fn main() {
    let mut cart = TestKit::<Cart>::new("c1");
    cart.call(shopping_cart::add_item(api::AddLineItem::default()));
    assert_eq!(cart.restarted().items.len(), 1);
}

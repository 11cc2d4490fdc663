include!("../parts/contract.rs");
include!("../parts/events.rs");

use cloudstate_sdk::event_sourced::testkit::TestKit;

pub trait Price: Send + 'static {
    fn of(product: &str) -> i32;
}

#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart", passivate_after = "2m")]
pub struct Cart<P: Price>
where
    P: Sync,
{
    total: i32,
    price: std::marker::PhantomData<P>,
}

impl<P: Price + Sync> EventSourcedEntity for Cart<P> {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, event: CartEvent) {
        match event {
            CartEvent::Added(added) => self.total += P::of(&added.item.unwrap_or_default().product_id),
            CartEvent::Removed(removed) => self.total -= P::of(&removed.product_id),
        }
    }
}

impl<P: Price + Sync> shopping_cart::EventSourced for Cart<P> {
    fn add_item(&self, _: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::persist(domain::ItemAdded::default()).reply(()))
    }

    fn remove_item(&self, _: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::persist_all([CartEvent::Removed(domain::ItemRemoved::default())]).reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
        Ok(Effect::persist(domain::ItemAdded::default()).then_reply(Self::view))
    }
}

impl<P: Price> Cart<P>
where
    P: Sync,
{
    fn view(&self) -> api::Cart {
        api::Cart::default()
    }
}

struct Free;

impl Price for Free {
    fn of(_: &str) -> i32 {
        1
    }
}

fn main() {
    assert_eq!(<Cart<Free> as cloudstate_sdk::Entity>::PASSIVATE_AFTER, Some(std::time::Duration::from_secs(120)));
    let mut cart = TestKit::<Cart<Free>>::created_by("c1", |_| Cart { total: 0, price: std::marker::PhantomData });
    cart.call(shopping_cart::add_item(api::AddLineItem::default()));
    assert_eq!(cart.state().total, 1);
}

include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/state.rs");

use cloudstate_sdk::event_sourced::testkit::TestKit;

pub enum CartError {
    BadQuantity(i32),
}

impl From<CartError> for Failure {
    fn from(error: CartError) -> Self {
        match error {
            CartError::BadQuantity(n) => Failure::invalid_argument(format!("quantity {n} is not positive")),
        }
    }
}

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = CartError;

    fn apply(&mut self, _: CartEvent) {}
}

impl Cart {
    fn check(quantity: i32) -> Result<(), CartError> {
        if quantity > 0 { Ok(()) } else { Err(CartError::BadQuantity(quantity)) }
    }
}

impl shopping_cart::EventSourced for Cart {
    fn add_item(&self, command: api::AddLineItem, _: &Context) -> Reply<Self, (), CartError> {
        Self::check(command.quantity)?;
        Ok(Effect::reply(()))
    }

    fn remove_item(&self, _: api::RemoveLineItem, _: &Context) -> Reply<Self, (), CartError> {
        Ok(Effect::reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart, CartError> {
        Ok(Effect::reply(api::Cart::default()))
    }
}

fn main() {
    let mut cart = TestKit::<Cart>::new("c1");
    let refused = cart.call(shopping_cart::add_item(api::AddLineItem::default()));
    assert_eq!(*refused.failure(), Failure::invalid_argument("quantity 0 is not positive"));
}

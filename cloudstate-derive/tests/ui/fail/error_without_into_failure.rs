include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/state.rs");

pub enum CartError {
    NotInCart,
}

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = CartError;

    fn apply(&mut self, event: CartEvent) {
        match event {
            CartEvent::Added(added) => self.items.extend(added.item),
            CartEvent::Removed(removed) => self.items.retain(|item| item.product_id != removed.product_id),
        }
    }
}

impl shopping_cart::EventSourced for Cart {
    fn add_item(&self, _: api::AddLineItem, _: &Context) -> Reply<Self, (), CartError> {
        Err(CartError::NotInCart)
    }

    fn remove_item(&self, _: api::RemoveLineItem, _: &Context) -> Reply<Self, (), CartError> {
        Ok(Effect::reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart, CartError> {
        Ok(Effect::reply(api::Cart::default()))
    }
}

fn main() {}

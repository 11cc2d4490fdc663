include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/state.rs");
include!("../parts/apply.rs");

impl shopping_cart::EventSourced for Cart {
    fn add_item(&self, _: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::reply(()))
    }

    fn remove_item(&self, _: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
        Ok(Effect::reply(api::Cart::default()))
    }
}

fn main() {}

//! A shopping cart that is stored as one value. The contract is in `proto/`.

use cloudstate_sdk::value::*;

cloudstate_sdk::include_protos!();
use com::example::valueentity::shoppingcart::{self as api, persistence as domain, shopping_cart};

/// The cart of one user.
#[value_entity(service = shopping_cart, persistence_id = "shopping-cart-value")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cart(domain::Cart);

impl ValueEntity for Cart {
    type Error = Failure;
}

impl shopping_cart::Value for Cart {
    fn add_item(&self, add: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
        if add.quantity <= 0 {
            return Err(Failure::invalid_argument("the quantity must be positive"));
        }
        let mut cart = self.0.clone();
        match cart.items.iter_mut().find(|item| item.product_id == add.product_id) {
            Some(item) => item.quantity = item.quantity.saturating_add(add.quantity),
            None => {
                let api::AddLineItem { product_id, name, quantity, .. } = add;
                cart.items.push(domain::LineItem { product_id, name, quantity });
            }
        }
        Ok(Effect::update(cart).reply(()))
    }

    fn remove_item(&self, remove: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
        let mut cart = self.0.clone();
        cart.items.retain(|item| item.product_id != remove.product_id);
        if cart == self.0 {
            return Err(Failure::not_found("no such item in the cart"));
        }
        Ok(Effect::update(cart).reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
        Ok(Effect::reply(api::Cart { items: self.0.items.iter().cloned().map(in_reply).collect() }))
    }

    fn remove_cart(&self, _: api::RemoveShoppingCart, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()))
    }
}

fn in_reply(domain::LineItem { product_id, name, quantity }: domain::LineItem) -> api::LineItem {
    api::LineItem { product_id, name, quantity }
}

/// Serves the entity until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on, or the entity and its contract do not go together.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    cloudstate_sdk::serve().await
}

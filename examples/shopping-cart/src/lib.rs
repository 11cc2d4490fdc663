//! An event sourced shopping cart. The contract is in `proto/`.

use std::collections::BTreeMap;

use cloudstate_sdk::event_sourced::*;

cloudstate_sdk::include_protos!();
use com::example::shoppingcart::{self as api, persistence as domain, shopping_cart};

/// What happens to a cart.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum CartEvent {
    /// An item, or more of it, was put in.
    Added(domain::ItemAdded),
    /// An item was taken out.
    Removed(domain::ItemRemoved),
}

/// The cart of one user.
#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart", snapshot_every = 100)]
#[derive(Default)]
pub struct Cart {
    items: BTreeMap<String, domain::LineItem>,
}

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, event: CartEvent) {
        match event {
            CartEvent::Added(added) => {
                let new = added.item.unwrap_or_default();
                let line = self.items.entry(new.product_id.clone()).or_default();
                *line = domain::LineItem { quantity: line.quantity.saturating_add(new.quantity), ..new };
            }
            CartEvent::Removed(removed) => self.items.retain(|id, _| *id != removed.product_id),
        }
    }
}

impl shopping_cart::EventSourced for Cart {
    fn add_item(&self, add: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
        if add.quantity <= 0 {
            return Err(Failure::invalid_argument("the quantity must be positive"));
        }
        let item = domain::LineItem { product_id: add.product_id, name: add.name, quantity: add.quantity };
        Ok(Effect::persist(domain::ItemAdded { item: Some(item) }).reply(()))
    }

    fn remove_item(&self, remove: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
        self.items.get(&remove.product_id).ok_or_else(|| Failure::not_found("no such item in the cart"))?;
        Ok(Effect::persist(domain::ItemRemoved { product_id: remove.product_id }).reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
        Ok(Effect::reply(api::Cart { items: self.items.values().cloned().map(in_reply).collect() }))
    }
}

fn in_reply(domain::LineItem { product_id, name, quantity }: domain::LineItem) -> api::LineItem {
    api::LineItem { product_id, name, quantity }
}

impl Snapshot for Cart {
    type Message = domain::Cart;

    fn snapshot(&self) -> domain::Cart {
        domain::Cart { items: self.items.values().cloned().collect() }
    }

    fn restore(&mut self, saved: domain::Cart) {
        self.items = saved.items.into_iter().map(|line| (line.product_id.clone(), line)).collect();
    }
}

/// Serves the entity until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on, or the entity and its contract do not go together.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    cloudstate_sdk::serve().await
}

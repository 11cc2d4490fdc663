// The entity of this crate's examples and tests. Included where `com` is in scope.
pub use com::example::shoppingcart::{self as api, persistence as domain, shopping_cart};

#[derive(Event, Clone, Debug, PartialEq)]
pub enum CartEvent {
    Added(domain::ItemAdded),
    Removed(domain::ItemRemoved),
}

#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart", snapshot_every = 100)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cart {
    pub items: std::collections::BTreeMap<String, domain::LineItem>,
}

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, event: CartEvent) {
        match event {
            CartEvent::Added(added) => {
                let new = added.item.unwrap_or_default();
                let item = self.items.entry(new.product_id.clone()).or_default();
                *item = domain::LineItem { quantity: item.quantity + new.quantity, ..new };
            }
            CartEvent::Removed(removed) => {
                self.items.remove(&removed.product_id);
            }
        }
    }
}

impl shopping_cart::EventSourced for Cart {
    fn add_item(&self, command: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
        if command.quantity <= 0 {
            return Err(Failure::invalid_argument("the quantity must be positive"));
        }
        let api::AddLineItem { product_id, name, quantity, .. } = command;
        let item = Some(domain::LineItem { product_id, name, quantity });
        Ok(Effect::persist(domain::ItemAdded { item }).reply(()))
    }

    fn remove_item(&self, command: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
        if !self.items.contains_key(&command.product_id) {
            return Err(Failure::not_found("no such item in the cart"));
        }
        Ok(Effect::persist(domain::ItemRemoved { product_id: command.product_id }).reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
        Ok(Effect::reply(self.view()))
    }
}

impl Cart {
    pub fn view(&self) -> api::Cart {
        let line = |item: &domain::LineItem| api::LineItem {
            product_id: item.product_id.clone(),
            name: item.name.clone(),
            quantity: item.quantity,
        };
        api::Cart { items: self.items.values().map(line).collect() }
    }
}

impl Snapshot for Cart {
    type Message = domain::Cart;

    fn snapshot(&self) -> domain::Cart {
        domain::Cart { items: self.items.values().cloned().collect() }
    }

    fn restore(&mut self, saved: domain::Cart) {
        self.items = saved.items.into_iter().map(|item| (item.product_id.clone(), item)).collect();
    }
}

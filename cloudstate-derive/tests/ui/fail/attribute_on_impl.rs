include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/commands.rs");

#[derive(Default)]
pub struct Cart {
    items: Vec<domain::LineItem>,
}

#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart")]
impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, event: CartEvent) {
        match event {
            CartEvent::Added(added) => self.items.extend(added.item),
            CartEvent::Removed(removed) => self.items.retain(|item| item.product_id != removed.product_id),
        }
    }
}

fn main() {}

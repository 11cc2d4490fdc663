include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/state.rs");
include!("../parts/commands.rs");

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, event: CartEvent) {
        match event {
            CartEvent::Added(added) => self.items.extend(added.item),
        }
    }
}

fn main() {}

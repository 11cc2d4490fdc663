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

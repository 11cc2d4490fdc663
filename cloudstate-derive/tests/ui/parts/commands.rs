impl shopping_cart::EventSourced for Cart {
    fn add_item(&self, command: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
        let item = domain::LineItem { product_id: command.product_id, ..Default::default() };
        Ok(Effect::persist(domain::ItemAdded { item: Some(item) }).reply(()))
    }

    fn remove_item(&self, command: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::persist(domain::ItemRemoved { product_id: command.product_id }).reply(()))
    }

    fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
        Ok(Effect::reply(api::Cart::default()))
    }
}

#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart")]
#[derive(Clone, Debug, Default)]
pub struct Cart {
    items: Vec<domain::LineItem>,
}

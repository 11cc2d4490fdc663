include!("../parts/contract.rs");

#[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart")]
pub enum Cart {
    Open,
    Closed,
}

fn main() {}

include!("../parts/contract.rs");

#[derive(Event)]
pub enum CartEvent {
    Added(domain::ItemAdded),
    Other(Any),
}

fn main() {}

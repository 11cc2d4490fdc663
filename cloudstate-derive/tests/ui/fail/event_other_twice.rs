include!("../parts/contract.rs");

#[derive(Event)]
pub enum CartEvent {
    Added(domain::ItemAdded),
    #[event(other)]
    Other(Any),
    #[event(other)]
    Another(Any),
}

fn main() {}

include!("../parts/contract.rs");

#[derive(Event)]
pub enum CartEvent {
    Added(domain::ItemAdded),
    #[event(other)]
    Other(domain::ItemRemoved),
}

fn main() {}

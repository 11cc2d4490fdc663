include!("../parts/contract.rs");

#[derive(Event)]
pub enum CartEvent {
    Added(domain::ItemAdded),
    #[event(other, alias = "old.package.Other")]
    Other(Any),
}

fn main() {}

include!("../parts/contract.rs");

#[derive(Event)]
pub struct CartEvent {
    added: domain::ItemAdded,
}

fn main() {}

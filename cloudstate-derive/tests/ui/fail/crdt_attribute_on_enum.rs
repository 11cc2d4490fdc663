include!("../parts/crdt_contract.rs");

#[crdt_entity(service = presence)]
pub enum Presence {
    Users(ORSet<String>),
}

fn main() {}

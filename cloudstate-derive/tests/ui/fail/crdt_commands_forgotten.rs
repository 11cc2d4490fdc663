include!("../parts/crdt_contract.rs");
include!("../parts/crdt_error.rs");

#[crdt_entity(service = presence)]
#[derive(Default)]
pub struct Presence {
    users: ORSet<String>,
}

fn main() {}

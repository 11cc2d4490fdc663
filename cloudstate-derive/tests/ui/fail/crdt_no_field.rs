include!("../parts/crdt_contract.rs");
include!("../parts/crdt_error.rs");
include!("../parts/crdt_commands.rs");

#[crdt_entity(service = presence)]
#[derive(Default)]
pub struct Presence {}

fn main() {}

include!("../parts/crdt_contract.rs");
include!("../parts/crdt_error.rs");
include!("../parts/crdt_commands.rs");

#[derive(Default)]
pub struct Presence {
    users: ORSet<String>,
}

fn main() {}

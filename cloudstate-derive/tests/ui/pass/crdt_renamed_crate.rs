include!("../parts/crdt_contract.rs");
include!("../parts/crdt_error.rs");
include!("../parts/crdt_commands.rs");

mod sdk {
    pub use cloudstate_sdk::*;
}

#[derive(Crdt, Clone, Debug, Default)]
#[crdt(crate = "crate::sdk")]
pub struct Room {
    members: ORSet<String>,
}

#[crdt_entity(service = presence, crate = "crate::sdk")]
#[derive(Default)]
pub struct Presence {
    room: Room,
}

fn main() {}

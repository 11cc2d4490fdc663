use cloudstate_sdk::crdt::*;

#[derive(Crdt, Clone, Debug, Default)]
pub struct Room {
    members: ORSet<String>,
    #[crdt(key = "members")]
    topic: LWWRegister<String>,
}

fn main() {}

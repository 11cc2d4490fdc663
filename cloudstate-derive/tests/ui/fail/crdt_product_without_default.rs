use cloudstate_sdk::crdt::*;

#[derive(Crdt, Clone, Debug)]
pub struct Room {
    members: ORSet<String>,
    topic: LWWRegister<String>,
}

fn main() {}

use cloudstate_sdk::crdt::*;

#[derive(Crdt, Clone, Debug, Default)]
pub struct Room {
    members: ORSet<String>,
    topic: Vec<String>,
}

fn main() {}

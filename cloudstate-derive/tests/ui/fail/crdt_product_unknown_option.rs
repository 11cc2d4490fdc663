use cloudstate_sdk::crdt::*;

#[derive(Crdt, Clone, Debug, Default)]
pub struct Room {
    members: ORSet<String>,
    #[crdt(name = "topic")]
    topic: LWWRegister<String>,
}

fn main() {}

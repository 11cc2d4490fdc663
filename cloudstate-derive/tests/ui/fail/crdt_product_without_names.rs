use cloudstate_sdk::crdt::*;

#[derive(Crdt, Clone, Debug, Default)]
pub struct Room(ORSet<String>, LWWRegister<String>);

fn main() {}

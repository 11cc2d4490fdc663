use cloudstate_sdk::crdt::*;

#[derive(Crdt, Clone, Debug)]
pub enum Room {
    Members(ORSet<String>),
}

fn main() {}

include!("../parts/contract.rs");

#[derive(Event)]
pub enum CartEvent<M> {
    Added(M),
}

fn main() {}

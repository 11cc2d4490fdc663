include!("../parts/contract.rs");

#[derive(Event)]
pub enum CartEvent {}

fn main() {}

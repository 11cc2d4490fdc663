include!("../parts/action_contract.rs");
include!("../parts/action_handlers.rs");

#[action(service = sums)]
#[derive(Default)]
pub struct Sums;

fn main() {}

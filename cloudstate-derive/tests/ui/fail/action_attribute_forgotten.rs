include!("../parts/action_contract.rs");
include!("../parts/action_handlers.rs");

pub struct Sums;

impl ActionService for Sums {
    type Error = Failure;
}

fn main() {}

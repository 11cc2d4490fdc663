include!("../parts/action_contract.rs");
include!("../parts/action_handlers.rs");

#[action(service = sums, persistence_id = "sums")]
#[derive(Default)]
pub struct Sums;

impl ActionService for Sums {
    type Error = Failure;
}

fn main() {}

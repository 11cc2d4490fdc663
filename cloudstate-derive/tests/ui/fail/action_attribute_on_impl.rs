include!("../parts/action_contract.rs");
include!("../parts/action_handlers.rs");

#[derive(Default)]
pub struct Sums;

#[action(service = sums)]
impl ActionService for Sums {
    type Error = Failure;
}

fn main() {}

include!("../parts/action_contract.rs");
include!("../parts/action_handlers.rs");

#[action(service = sums)]
#[derive(Default)]
pub struct Sums {
    shared: std::cell::Cell<u32>,
}

impl ActionService for Sums {
    type Error = Failure;
}

fn main() {}

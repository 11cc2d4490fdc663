include!("../parts/action_contract.rs");

#[action]
#[derive(Default)]
pub struct Sums;

impl ActionService for Sums {
    type Error = Failure;
}

fn main() {}

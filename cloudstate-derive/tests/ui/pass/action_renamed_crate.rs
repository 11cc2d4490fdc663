include!("../parts/action_contract.rs");
include!("../parts/action_handlers.rs");

mod sdk {
    pub use cloudstate_sdk::*;
}

#[action(service = sums, crate = "crate::sdk")]
#[derive(Default)]
pub struct Sums;

impl ActionService for Sums {
    type Error = Failure;
}

fn main() {}

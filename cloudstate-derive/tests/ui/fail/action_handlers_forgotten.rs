include!("../parts/action_contract.rs");
include!("../parts/action.rs");

fn main() {}

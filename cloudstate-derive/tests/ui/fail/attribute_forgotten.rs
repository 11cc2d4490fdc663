include!("../parts/contract.rs");
include!("../parts/events.rs");
include!("../parts/apply.rs");
include!("../parts/commands.rs");

#[derive(Clone, Debug, Default)]
pub struct Cart {
    items: Vec<domain::LineItem>,
}

fn main() {}

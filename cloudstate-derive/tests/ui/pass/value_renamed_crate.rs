include!("../parts/value_contract.rs");
include!("../parts/value_error.rs");
include!("../parts/value_commands.rs");

mod sdk {
    pub use cloudstate_sdk::*;
}

#[value_entity(service = profiles, persistence_id = "profiles", crate = "crate::sdk")]
#[derive(Default)]
pub struct Profiles(Profile);

fn main() {}

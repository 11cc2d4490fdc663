include!("../parts/value_contract.rs");
include!("../parts/value_error.rs");
include!("../parts/value_commands.rs");

#[value_entity(service = profiles, persistence_id = "profiles", snapshot_every = 100)]
#[derive(Default)]
pub struct Profiles(Profile);

fn main() {}

include!("../parts/value_contract.rs");
include!("../parts/value_error.rs");

#[value_entity(service = profiles, persistence_id = "profiles")]
#[derive(Default)]
pub struct Profiles(Profile);

fn main() {}

include!("../parts/value_contract.rs");
include!("../parts/value_error.rs");
include!("../parts/value_commands.rs");

type Stored = Option<Profile>;

#[value_entity(service = profiles, persistence_id = "profiles")]
#[derive(Default)]
pub struct Profiles(Stored);

fn main() {}

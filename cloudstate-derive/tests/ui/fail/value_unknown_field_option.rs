include!("../parts/value_contract.rs");
include!("../parts/value_error.rs");
include!("../parts/value_commands.rs");

#[value_entity(service = profiles, persistence_id = "profiles")]
#[derive(Default)]
pub struct Profiles {
    profile: Profile,
    #[cloudstate(transient)]
    limit: u32,
}

fn main() {}

include!("../parts/value_contract.rs");

#[value_entity(service = profiles, persistence_id = "profiles")]
pub enum Profiles {
    Unset,
    Set(Profile),
}

fn main() {}

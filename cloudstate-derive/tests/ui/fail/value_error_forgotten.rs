include!("../parts/value_contract.rs");

#[value_entity(service = profiles, persistence_id = "profiles")]
#[derive(Default)]
pub struct Profiles(Profile);

impl profiles::Value for Profiles {
    fn set(&self, _: SetProfile, _: &Context) -> Reply<Self, Profile> {
        Ok(Effect::reply(Profile::default()))
    }

    fn get(&self, _: GetProfile, _: &Context) -> Reply<Self, Profile> {
        Ok(Effect::reply(Profile::default()))
    }

    fn forget(&self, _: ForgetProfile, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()))
    }
}

fn main() {}

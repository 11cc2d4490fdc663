include!("../parts/value_contract.rs");
include!("../parts/value_error.rs");

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
        Ok(Effect::reply(()))
    }
}

fn main() {}

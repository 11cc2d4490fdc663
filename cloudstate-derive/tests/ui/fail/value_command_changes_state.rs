include!("../parts/value_contract.rs");
include!("../parts/value_error.rs");

#[value_entity(service = profiles, persistence_id = "profiles")]
#[derive(Default)]
pub struct Profiles(Profile);

impl profiles::Value for Profiles {
    fn set(&self, command: SetProfile, _: &Context) -> Reply<Self, Profile> {
        self.0.name = command.name;
        Ok(Effect::reply(Profile::default()))
    }

    fn get(&self, _: GetProfile, _: &Context) -> Reply<Self, Profile> {
        Ok(Effect::reply(self.0.clone()))
    }

    fn forget(&self, _: ForgetProfile, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()))
    }
}

fn main() {}

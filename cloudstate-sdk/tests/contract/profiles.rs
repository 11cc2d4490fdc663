// The value entity of this crate's examples and tests. Included where `com` is in scope.
pub use com::example::profiles::{ForgetProfile, GetProfile, Profile, SetProfile, profiles};

#[value_entity(service = profiles, persistence_id = "profiles")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profiles(pub Profile);

impl ValueEntity for Profiles {
    type Error = Failure;
}

impl profiles::Value for Profiles {
    fn set(&self, command: SetProfile, _: &Context) -> Reply<Self, Profile> {
        if command.name.is_empty() {
            return Err(Failure::invalid_argument("a profile needs a name"));
        }
        let new = Profile { name: command.name, changes: self.0.changes + 1 };
        Ok(Effect::update(new.clone()).reply(new))
    }

    fn get(&self, _: GetProfile, _: &Context) -> Reply<Self, Profile> {
        Ok(Effect::reply(self.0.clone()))
    }

    fn forget(&self, _: ForgetProfile, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()))
    }
}

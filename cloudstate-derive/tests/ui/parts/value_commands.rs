impl profiles::Value for Profiles {
    fn set(&self, command: SetProfile, _: &Context) -> Reply<Self, Profile> {
        let new = Profile { name: command.name, ..Default::default() };
        Ok(Effect::update(new.clone()).reply(new))
    }

    fn get(&self, _: GetProfile, _: &Context) -> Reply<Self, Profile> {
        Ok(Effect::reply(Profile::default()))
    }

    fn forget(&self, _: ForgetProfile, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()))
    }
}

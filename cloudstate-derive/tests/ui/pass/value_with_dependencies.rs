include!("../parts/value_contract.rs");

use cloudstate_sdk::value::testkit::TestKit;

pub trait Names: Clone + Send + Sync + 'static {
    fn allow(&self, name: &str) -> bool;
}

#[value_entity(service = profiles, persistence_id = "profiles", passivate_after = "2m")]
pub struct Profiles<N: Names>
where
    N: Sync,
{
    #[cloudstate(dependency)]
    names: N,
    /// The one that is stored.
    profile: Option<Profile>,
    #[cloudstate(dependency)]
    limit: i32,
}

impl<N: Names> ValueEntity for Profiles<N> {
    type Error = Failure;
}

impl<N: Names> profiles::Value for Profiles<N> {
    fn set(&self, command: SetProfile, _: &Context) -> Reply<Self, Profile> {
        let changes = self.profile.as_ref().map_or(0, |profile| profile.changes) + 1;
        if !self.names.allow(&command.name) || changes > self.limit {
            return Err(Failure::invalid_argument("another name, please"));
        }
        Ok(Effect::update(Profile { name: command.name, changes }).then_reply(Self::view))
    }

    fn get(&self, _: GetProfile, _: &Context) -> Reply<Self, Profile> {
        self.profile.clone().map(Effect::reply).ok_or_else(|| Failure::not_found("was never set"))
    }

    fn forget(&self, _: ForgetProfile, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::state_action(self.profile.is_some().then_some(StateAction::<Profile>::Delete)).reply(()))
    }
}

impl<N: Names> Profiles<N> {
    fn view(&self) -> Profile {
        self.profile.clone().unwrap_or_default()
    }
}

#[derive(Clone)]
struct Short(usize);

impl Names for Short {
    fn allow(&self, name: &str) -> bool {
        name.len() < self.0
    }
}

fn main() {
    let mut kit = TestKit::created_by("ann", |_| Profiles { names: Short(5), profile: None, limit: 1 });
    let set = |name: &str| profiles::set(SetProfile { name: name.into(), ..Default::default() });
    let get = || profiles::get(GetProfile::default());
    let forget = || profiles::forget(ForgetProfile::default());

    assert_eq!(kit.call(get()).failure().code, Code::NotFound);
    assert_eq!(kit.call(set("Theodora")).failure().code, Code::InvalidArgument);
    assert_eq!(kit.call(set("Ann")).reply().changes, 1);
    assert_eq!(kit.call(set("Anna")).failure().code, Code::InvalidArgument);
    assert_eq!(kit.call(get()).reply().name, "Ann");
    assert_eq!(kit.call(forget()).state_action, Some(StateAction::Delete));
    assert_eq!(kit.call(forget()).state_action, None);
    assert!(kit.state().profile.is_none() && kit.restarted().profile.is_none());
}

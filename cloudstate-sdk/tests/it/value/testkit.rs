//! The test kit, as in a user's unit tests.

use cloudstate_sdk::value::testkit::TestKit;
use cloudstate_sdk::value::*;

#[allow(unreachable_pub)]
mod entity {
    use crate::cart::com;
    use cloudstate_sdk::value::*;
    include!("../../contract/profiles.rs");
}
use entity::{ForgetProfile, GetProfile, Profile, Profiles, SetProfile, profiles};

fn set(name: &str) -> ServiceCall<Profile> {
    profiles::set(SetProfile { name: name.into(), ..Default::default() })
}

fn profile(name: &str, changes: i32) -> Profile {
    Profile { name: name.into(), changes }
}

#[test]
fn changes_are_typed_and_state_follows() {
    let mut kit = TestKit::<Profiles>::new("ann").given(profile("Ann", 3));

    let outcome = kit.call(set("Anna"));

    assert_eq!(outcome.state_action, Some(StateAction::Update(profile("Anna", 4))));
    assert_eq!(outcome.result(), Some(&Ok(profile("Anna", 4))));
    assert_eq!(kit.call(profiles::get(GetProfile::default())).state_action, None);
    assert_eq!(kit.restarted(), *kit.state());
}

#[test]
fn what_is_deleted_is_as_if_never_set() {
    let mut kit = TestKit::<Profiles>::new("ann").given(profile("Ann", 3));
    let outcome = kit.call(profiles::forget(ForgetProfile::default()));
    assert_eq!(outcome.state_action, Some(StateAction::Delete));
    assert_eq!(*kit.state(), Profiles::default());
    assert_eq!(kit.restarted(), Profiles::default());
    assert_eq!(kit.call(set("Ann")).reply().changes, 1);
}

#[test]
fn failures_change_nothing() {
    let mut kit = TestKit::<Profiles>::new("ann").given(profile("Ann", 3));
    let refused = kit.call(set(""));
    assert_eq!(refused.failure().code, Code::InvalidArgument);
    assert_eq!(refused.state_action, None);
    assert_eq!(kit.state().0, profile("Ann", 3));
}

#[test]
fn the_function_that_creates_says_what_never_set_looks_like() {
    let create = |context: &Context| Profiles(profile(context.entity_id(), 0));
    let mut kit = TestKit::created_by("ann", create);
    assert_eq!(kit.call(profiles::get(GetProfile::default())).reply().name, "ann");
    kit.call(set("Anna"));
    kit.call(profiles::forget(ForgetProfile::default()));
    assert_eq!(kit.state().0, profile("ann", 0));
    assert_eq!(kit.restarted(), *kit.state());
}

#[test]
#[should_panic(expected = "the entity's stream would end: panic: attempt to add with overflow")]
fn a_panic_fails_the_test() {
    TestKit::<Profiles>::new("ann").given(profile("Ann", i32::MAX)).call(set("Anna"));
}

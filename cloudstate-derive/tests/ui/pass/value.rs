include!("../parts/value_contract.rs");
include!("../parts/value_error.rs");
include!("../parts/value_commands.rs");

use cloudstate_sdk::value::testkit::TestKit;

#[value_entity(service = profiles, persistence_id = "profiles")]
#[derive(Default)]
pub struct Profiles(Profile);

fn main() {
    let mut kit = TestKit::<Profiles>::new("ann");
    let set = kit.call(profiles::set(SetProfile { name: "Ann".into(), ..Default::default() }));
    assert_eq!(set.state_action, Some(StateAction::Update(Profile { name: "Ann".into(), changes: 0 })));
    assert_eq!(kit.state().0.name, "Ann");
}

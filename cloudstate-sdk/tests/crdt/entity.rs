//! CRDT entities as a test of a user sees them.

use cloudstate_sdk::crdt::testkit::TestKit;
use cloudstate_sdk::crdt::*;

use crate::contract::Presence;
use crate::contract::cloudstate::tck::model::crdt::{
    LwwRegisterUpdate, Request, RequestAction, StreamedRequest, Update, VoteUpdate, crdt_tck_model,
    request_action, state, update,
};
use crate::contract::com::example::presence::{Visit, presence};
use crate::model::CrdtTckModel;
use crate::notation::written;

fn visit(user: &str) -> Visit {
    Visit { user: user.into(), ..Default::default() }
}

fn update(update: update::Update) -> Update {
    Update { update: Some(update), ..Default::default() }
}

fn process(actions: impl IntoIterator<Item = request_action::Action>) -> Request {
    let actions = actions.into_iter().map(|action| RequestAction { action: Some(action) }).collect();
    Request { actions, ..Default::default() }
}

#[test]
fn a_refused_command_leaves_nothing_behind() {
    let mut room = TestKit::<CrdtTckModel>::created_by("ORSet-1", CrdtTckModel::new);
    let add = |element: &str| {
        use crate::contract::cloudstate::tck::model::crdt::{OrSetUpdate, or_set_update};
        let action = Some(or_set_update::Action::Add(element.into()));
        request_action::Action::Update(update(update::Update::Orset(OrSetUpdate { action })))
    };
    let fail = request_action::Action::Fail(crate::contract::cloudstate::tck::model::crdt::Fail {
        message: "no".into(),
    });
    assert_eq!(room.call(crdt_tck_model::process(process([add("a"), fail]))).failure().message, "no");
    let next = room.call(crdt_tck_model::process(process([add("b")])));
    assert_eq!(written(next.delta().cloned()), "Δ(add{b})");
    let Some(state::Value::Orset(set)) = next.reply().state.clone().and_then(|state| state.value) else {
        panic!()
    };
    assert_eq!(set.elements, ["b"]);
}

#[test]
fn a_first_command_that_fails_leaves_the_first_value_to_the_next() {
    let mut register = TestKit::<CrdtTckModel>::created_by("LWWRegister-1", CrdtTckModel::new);
    let set = LwwRegisterUpdate { value: "one".into(), clock: None };
    let actions = [
        request_action::Action::Update(update(update::Update::Lwwregister(set))),
        request_action::Action::Fail(Default::default()),
    ];
    assert!(!register.call(crdt_tck_model::process(process(actions))).has_changed());
    let read = register.call(crdt_tck_model::process(Request::default()));
    assert_eq!(written(read.delta().cloned()), "Δ\"\"");
}

#[test]
fn what_others_have_takes_the_place_of_what_was_created() {
    let mut room = TestKit::<Presence>::new("kitchen");
    room.changed_elsewhere(|users| users.insert("ada".into()));
    assert_eq!(room.call(presence::enter(visit("bob"))).reply().users, ["ada", "bob"]);
    assert_eq!(room.restarted(), *room.state());

    let mut users = ORSet::new();
    users.insert("eve".to_string());
    let mut room = TestKit::<Presence>::new("kitchen").given(users);
    assert!(!room.call(presence::enter(visit("eve"))).has_changed());
}

#[test]
fn callers_that_stay_are_told_of_what_others_do() {
    let mut room = TestKit::<Presence>::new("kitchen");
    let watch = room.follow(presence::watch(visit("")));
    assert!(watch.is_open() && !watch.has_changed());

    let stay = room.follow(presence::stay(visit("ada")));
    assert_eq!(written(stay.delta().cloned()), "Δ(add{ada})");
    assert!(!room.call(presence::enter(visit("ada"))).has_changed());
    assert!(room.cancel(&stay).has_changed());
    // A proxy may say it twice.
    assert!(!room.cancel(&stay).has_changed());

    let seen: Vec<_> = room.messages(&watch).iter().map(|message| message.reply().users.len()).collect();
    assert_eq!(seen, [1, 0]);
    assert!(room.messages(&stay).is_empty());
    assert!(!room.cancel(&watch).has_changed());
    room.call(presence::enter(visit("bob")));
    assert!(room.messages(&watch).is_empty());
}

#[test]
fn the_end_is_told() {
    let mut room = TestKit::<Presence>::new("kitchen");
    let (watch, stay) = (room.follow(presence::watch(visit(""))), room.follow(presence::stay(visit("ada"))));
    room.messages(&watch);

    let closed = room.call(presence::close(visit("")));
    assert!(closed.is_delete() && !closed.has_changed());
    assert_eq!(closed.write_consistency(), WriteConsistency::All);
    for last in [
        room.messages(&watch).pop().map(|message| message.is_last),
        room.messages(&stay).pop().map(|message| message.is_last),
    ] {
        assert_eq!(last, Some(true));
    }
    // Sent before the proxy knew.
    assert_eq!(room.call(presence::enter(visit("bob"))).failure().message, "the entity was deleted");
    assert!(!room.cancel(&stay).has_changed());

    let mut room = TestKit::<Presence>::new("hall");
    let watch = room.follow(presence::watch(visit("")));
    room.deleted_elsewhere();
    assert!(room.messages(&watch).iter().all(|message| message.is_last && message.result().is_none()));
}

#[test]
fn a_vote_counts_itself() {
    let mut ballot = TestKit::<CrdtTckModel>::created_by("Vote-1", CrdtTckModel::new);
    let mut vote = |self_vote| {
        let update = update(update::Update::Vote(VoteUpdate { self_vote }));
        written(
            ballot
                .call(crdt_tck_model::process(process([request_action::Action::Update(update)])))
                .delta()
                .cloned(),
        )
    };
    assert_eq!([vote(true), vote(true), vote(false)], ["Δtrue", "-", "Δfalse"]);
}

#[test]
fn a_caller_may_hear_nothing_at_first() {
    let mut counter = TestKit::<CrdtTckModel>::created_by("GCounter-1", CrdtTckModel::new);
    let request = StreamedRequest { empty: true, ..Default::default() };
    let silent = counter.follow(crdt_tck_model::process_streamed(request));
    assert!(silent.is_open() && silent.result().is_none());
    assert!(counter.messages(&silent).is_empty());
}

//! Changes that no proxy should send, and those that only look odd.

use cloudstate_proto::crdt::{
    CrdtDelta, GCounterDelta, LwwRegisterDelta, OrMapDelta, OrMapEntryDelta, VoteDelta, crdt_delta,
};
use cloudstate_sdk::Any;
use cloudstate_sdk::crdt::{
    Crdt, CrdtError, CrdtValue, Delta, Flag, GCounter, GSet, LWWRegister, ORMap, PNCounter, Vote,
};
use proptest::prelude::*;
use prost::Message;

fn delta(delta: crdt_delta::Delta) -> Delta {
    Delta::decode(&CrdtDelta { delta: Some(delta) }.encode_to_vec()).unwrap()
}

fn entry(key: Option<Any>, delta: Option<CrdtDelta>) -> OrMapEntryDelta {
    OrMapEntryDelta { key, delta }
}

fn map_error(entry: OrMapEntryDelta) -> CrdtError {
    let map = OrMapDelta { added: vec![entry], ..Default::default() };
    ORMap::<String, GCounter>::from_state(delta(crdt_delta::Delta::Ormap(map))).unwrap_err()
}

#[test]
fn mistakes_are_named() {
    let key = || Some("k".to_string().to_any());
    let counter = crdt_delta::Delta::Gcounter(GCounterDelta { increment: 1 });
    let wrong = GSet::<String>::from_state(delta(counter.clone())).unwrap_err();
    assert!(wrong.is_wrong_type());
    for (error, expected) in [
        (wrong, "a change of a GCounter came for a GSet; values of several types need an `AnyCrdt`"),
        (Delta::decode(b"").unwrap_err(), "a change that names no type"),
        (
            LWWRegister::<String>::from_state(delta(crdt_delta::Delta::Lwwregister(
                LwwRegisterDelta::default(),
            )))
            .unwrap_err(),
            "a register without a value",
        ),
        (
            LWWRegister::<String>::from_state(LWWRegister::new(1i64).state()).unwrap_err(),
            "the type `p.cloudstate.io/int64` is not among the known types: p.cloudstate.io/string; \
             a register with values of several types needs to be an `LWWRegister<Any>`",
        ),
        (
            Vote::from_state(delta(crdt_delta::Delta::Vote(VoteDelta {
                self_vote: true,
                votes_for: -1,
                total_voters: 2,
            })))
            .unwrap_err(),
            "a vote with -1 of 2 voters",
        ),
        (map_error(entry(None, None)), "an entry without a key"),
        (map_error(entry(key(), None)), "in the entry \"k\": a change that names no type"),
        (
            map_error(entry(
                key(),
                Some(CrdtDelta { delta: Some(crdt_delta::Delta::Vote(Default::default())) }),
            )),
            "in the entry \"k\": a change of a Vote came for a GCounter; values of several types need an `AnyCrdt`",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
    assert!(Delta::decode(&[0x0a]).unwrap_err().to_string().starts_with("not a CrdtDelta: "));
}

#[test]
fn changes_of_what_is_not_there_are_ignored() {
    let counter = CrdtDelta { delta: Some(crdt_delta::Delta::Gcounter(GCounterDelta { increment: 1 })) };
    let change = OrMapDelta {
        removed: vec!["gone".to_string().to_any()],
        updated: vec![entry(Some("gone".to_string().to_any()), Some(counter))],
        ..Default::default()
    };
    let mut map = ORMap::<String, GCounter>::new();
    map.apply(delta(crdt_delta::Delta::Ormap(change))).unwrap();
    assert!(map.is_empty());
}

#[test]
fn elements_and_keys_of_other_types_are_left_alone() {
    let mut others = GSet::<Any>::new();
    others.extend([1i64.to_any(), "a".to_string().to_any(), Any::default()]);
    let set = GSet::<String>::from_state(others.state()).unwrap();
    assert_eq!(set.iter().collect::<Vec<_>>(), ["a"]);

    let mut others = ORMap::<Any, Flag>::new();
    others.get_or_default(1i64.to_any());
    others.get_or_default("a".to_string().to_any());
    let map = ORMap::<String, Flag>::from_state(others.state()).unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn counters_stay_in_range() {
    let huge = delta(crdt_delta::Delta::Gcounter(GCounterDelta { increment: u64::MAX }));
    let mut counter = GCounter::from_state(huge.clone()).unwrap();
    counter.apply(huge).unwrap();
    counter.increment(1);
    assert_eq!(counter.take_delta(), None);
    counter.roll_back();
    assert_eq!(counter.value(), u64::MAX);
    let mut counter = PNCounter::new();
    counter.increment(i64::MAX);
    counter.increment(i64::MAX);
    assert_eq!(counter.value(), -2);
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(bytes: Vec<u8>) {
        if let Ok(delta) = Delta::decode(&bytes) {
            let _ = cloudstate_sdk::crdt::AnyCrdt::from_state(delta);
        }
    }
}

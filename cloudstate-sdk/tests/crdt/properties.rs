//! What holds after any history.

use std::collections::BTreeSet;

use cloudstate_proto::crdt::{CrdtDelta, OrSetDelta, crdt_delta};
use cloudstate_sdk::crdt::{
    AnyCrdt, Clock, Crdt, CrdtValue, Delta, Flag, GCounter, GSet, LWWRegister, ORMap, ORSet, PNCounter, Vote,
};
use proptest::prelude::*;
use prost::Message;

/// An operation that makes sense on every type.
#[derive(Clone, Debug)]
enum Operation {
    Add(u8),
    Remove(u8),
    Clear,
    /// On the value of a key; creates it if need be.
    Within(u8, Box<Operation>),
}

fn operation() -> impl Strategy<Value = Operation> {
    let leaf = prop_oneof![
        4 => (0..8u8).prop_map(Operation::Add),
        3 => (0..8u8).prop_map(Operation::Remove),
        1 => Just(Operation::Clear),
    ];
    leaf.prop_recursive(3, 8, 1, |inner| {
        (0..8u8, inner).prop_map(|(key, inner)| Operation::Within(key, Box::new(inner)))
    })
}

/// Commands, each with some operations.
fn history() -> impl Strategy<Value = Vec<Vec<Operation>>> {
    prop::collection::vec(prop::collection::vec(operation(), 0..6), 0..8)
}

fn empty(kind: u8) -> AnyCrdt {
    match kind % 8 {
        0 => GCounter::new().into(),
        1 => PNCounter::new().into(),
        2 => GSet::new().into(),
        3 => ORSet::new().into(),
        4 => LWWRegister::new("".to_string().to_any()).into(),
        5 => Flag::new().into(),
        6 => Vote::new().into(),
        _ => ORMap::new().into(),
    }
}

fn run(crdt: &mut AnyCrdt, operation: &Operation) {
    let text = |n: u8| n.to_string().to_any();
    match (crdt, operation) {
        (AnyCrdt::GCounter(counter), Operation::Add(n)) => counter.increment(u64::from(*n)),
        (AnyCrdt::PNCounter(counter), Operation::Add(n)) => counter.increment(i64::from(*n)),
        (AnyCrdt::PNCounter(counter), Operation::Remove(n)) => counter.decrement(i64::from(*n)),
        (AnyCrdt::GSet(set), Operation::Add(n)) => drop(set.insert(text(*n))),
        (AnyCrdt::ORSet(set), Operation::Add(n)) => drop(set.insert(text(*n))),
        (AnyCrdt::ORSet(set), Operation::Remove(n)) => drop(set.remove(&text(*n))),
        (AnyCrdt::ORSet(set), Operation::Clear) => set.clear(),
        (AnyCrdt::LWWRegister(register), Operation::Add(n)) => register.set(text(*n)),
        (AnyCrdt::LWWRegister(register), Operation::Remove(n)) => {
            register.set_with(text(*n), Clock::Custom((*n).into()));
        }
        (AnyCrdt::Flag(flag), Operation::Add(_)) => flag.enable(),
        (AnyCrdt::Vote(vote), Operation::Add(_)) => vote.vote(true),
        (AnyCrdt::Vote(vote), Operation::Remove(_)) => vote.vote(false),
        (AnyCrdt::ORMap(map), Operation::Add(n)) => {
            map.get_or_insert_with(text(*n), || empty(*n));
        }
        (AnyCrdt::ORMap(map), Operation::Remove(n)) => drop(map.remove(&text(*n))),
        (AnyCrdt::ORMap(map), Operation::Clear) => map.clear(),
        (AnyCrdt::ORMap(map), Operation::Within(n, inner)) => {
            run(map.get_or_insert_with(text(*n), || empty(*n)), inner);
        }
        (other, Operation::Within(_, inner)) => run(other, inner),
        _ => {}
    }
}

/// Over the wire.
fn sent(delta: Delta) -> Delta {
    Delta::decode(&delta.encode()).unwrap()
}

fn after(kind: u8, history: &[Vec<Operation>]) -> AnyCrdt {
    let mut crdt = empty(kind);
    crdt.mark_sent();
    for command in history {
        command.iter().for_each(|operation| run(&mut crdt, operation));
        crdt.mark_sent();
    }
    crdt
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Taking turns, as the protocol makes them.
    #[test]
    fn replicas_that_exchange_deltas_agree(kind in 0..8u8, history in history()) {
        let mut replicas = [empty(kind), empty(kind)];
        replicas.iter_mut().for_each(Crdt::mark_sent);
        for (turn, command) in history.iter().enumerate() {
            let [mine, others] = &mut replicas;
            if turn % 2 == 1 {
                std::mem::swap(mine, others);
            }
            command.iter().for_each(|operation| run(mine, operation));
            prop_assert_eq!(mine.has_changed(), mine.unsent().is_some());
            if let Some(delta) = mine.take_delta() {
                others.apply(sent(delta)).unwrap();
                prop_assert!(!others.has_changed());
            }
            prop_assert_eq!(&*mine, &*others);
            prop_assert_eq!(mine.unsent(), None);
            if turn % 2 == 1 {
                std::mem::swap(mine, others);
            }
        }
    }

    #[test]
    fn a_failed_command_has_not_been(kind in 0..8u8, history in history(), failing in history()) {
        let before = after(kind, &history);
        let mut crdt = before.clone();
        failing.iter().flatten().for_each(|operation| run(&mut crdt, operation));
        crdt.roll_back();
        prop_assert_eq!(&crdt, &before);
        prop_assert_eq!(crdt.unsent(), None);
        // Nor does it show in what comes later.
        let (mut crdt, mut twin) = (crdt, before);
        for operation in history.iter().flatten() {
            run(&mut crdt, operation);
            run(&mut twin, operation);
        }
        prop_assert_eq!(crdt.take_delta(), twin.take_delta());
        prop_assert_eq!(crdt, twin);
    }

    #[test]
    fn the_state_is_all_there_is(kind in 0..8u8, history in history()) {
        let crdt = after(kind, &history);
        let copy = AnyCrdt::from_state(sent(crdt.state())).unwrap();
        prop_assert_eq!(copy.unsent(), None);
        prop_assert!(copy.is_known());
        prop_assert_eq!(copy.state(), crdt.state());
        prop_assert_eq!(copy, crdt);
    }

    #[test]
    fn an_or_set_sends_exactly_the_difference(
        before in prop::collection::btree_set(0..8u8, 0..8),
        operations in prop::collection::vec((any::<bool>(), 0..8u8), 0..20),
    ) {
        let mut set = ORSet::<i64>::new();
        set.extend(before.iter().map(|&n| n.into()));
        set.mark_sent();
        let mut before: BTreeSet<i64> = before.into_iter().map(i64::from).collect();
        let mut cleared = false;
        let mut now = before.clone();
        for (add, n) in operations {
            let n = i64::from(n);
            if add {
                now.insert(n);
                set.insert(n);
            } else {
                if now.iter().eq([&n]) && before.contains(&n) {
                    // To remove the only element is to clear the set, but not if this command has added it.
                    before.clear();
                    cleared = true;
                }
                now.remove(&n);
                set.remove(&n);
            }
        }
        prop_assert!(set.iter().eq(&now));
        let forms = |elements: &BTreeSet<i64>, without: &BTreeSet<i64>| {
            elements.difference(without).map(|n| n.to_any()).collect::<Vec<_>>()
        };
        let expected = OrSetDelta { cleared, removed: forms(&before, &now), added: forms(&now, &before) };
        let expected = (expected != OrSetDelta::default()).then(|| {
            let delta = Some(crdt_delta::Delta::Orset(expected));
            Delta::decode(&CrdtDelta { delta }.encode_to_vec()).unwrap()
        });
        prop_assert_eq!(set.take_delta(), expected);
    }

    #[test]
    fn a_vote_follows_the_proxy(votes in prop::collection::vec((any::<bool>(), 0..9u32, 1..9u32, any::<bool>()), 0..20)) {
        let mut vote = Vote::new();
        for (own, votes_for, voters, new) in votes {
            vote.apply(Delta::decode(&[0x42, 6, 8, own.into(), 0x10, votes_for as u8, 0x18, voters as u8]).unwrap()).unwrap();
            prop_assert_eq!((vote.self_vote(), vote.votes_for(), vote.voters()), (own, votes_for, voters));
            let before = vote.clone();
            vote.vote(!new);
            vote.vote(new);
            prop_assert_eq!(vote.unsent().is_some(), new != own);
            vote.roll_back();
            prop_assert_eq!(vote.unsent(), None);
            prop_assert_eq!(&vote, &before);
        }
    }
}

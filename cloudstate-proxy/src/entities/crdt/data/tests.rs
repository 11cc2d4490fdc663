//! The rules of every type as a table, and random deltas, hostile ones included.

use cloudstate_proto::{
    Any,
    crdt::{
        CrdtClock, CrdtDelta, FlagDelta, GCounterDelta, GSetDelta, LwwRegisterDelta, OrMapDelta,
        OrMapEntryDelta, OrSetDelta, PnCounterDelta, VoteDelta, crdt_delta::Delta,
    },
};
use proptest::{collection::vec, prelude::*};
use prost::Message;

use super::{Crdt, MAX_DEPTH, Violation};

const NOW: i64 = 1_000_000;

fn text(text: &str) -> Any {
    Any { type_url: "p.cloudstate.io/string".to_owned(), value: text.to_owned().into() }
}

fn anys(texts: &str) -> Vec<Any> {
    texts.split_whitespace().map(text).collect()
}

fn delta(delta: Delta) -> CrdtDelta {
    CrdtDelta { delta: Some(delta) }
}

fn g_counter(increment: u64) -> CrdtDelta {
    delta(Delta::Gcounter(GCounterDelta { increment }))
}

fn pn_counter(change: i64) -> CrdtDelta {
    delta(Delta::Pncounter(PnCounterDelta { change }))
}

fn g_set(added: &str) -> CrdtDelta {
    delta(Delta::Gset(GSetDelta { added: anys(added) }))
}

fn or_set(cleared: bool, removed: &str, added: &str) -> CrdtDelta {
    delta(Delta::Orset(OrSetDelta { cleared, removed: anys(removed), added: anys(added) }))
}

fn register(value: &str, clock: CrdtClock, custom_clock_value: i64) -> CrdtDelta {
    let value = Some(text(value));
    delta(Delta::Lwwregister(LwwRegisterDelta { value, clock: clock.into(), custom_clock_value }))
}

fn flag(value: bool) -> CrdtDelta {
    delta(Delta::Flag(FlagDelta { value }))
}

fn vote(self_vote: bool, votes_for: i32, total_voters: i32) -> CrdtDelta {
    delta(Delta::Vote(VoteDelta { self_vote, votes_for, total_voters }))
}

type Entries<'a> = &'a [(&'a str, CrdtDelta)];

fn entries(entries: Entries) -> Vec<OrMapEntryDelta> {
    let entry = |(key, delta): &(&str, CrdtDelta)| OrMapEntryDelta {
        key: Some(text(key)),
        delta: Some(delta.clone()),
    };
    entries.iter().map(entry).collect()
}

fn or_map(cleared: bool, removed: &str, updated: Entries, added: Entries) -> CrdtDelta {
    delta(Delta::Ormap(OrMapDelta {
        cleared,
        removed: anys(removed),
        updated: entries(updated),
        added: entries(added),
    }))
}

fn map(added: Entries) -> CrdtDelta {
    or_map(false, "", &[], added)
}

/// The CRDT after all of `deltas`.
fn after(deltas: impl IntoIterator<Item = CrdtDelta>) -> Result<Crdt, Violation> {
    let mut deltas = deltas.into_iter();
    let mut crdt = Crdt::create(deltas.next().unwrap(), NOW)?;
    deltas.try_for_each(|delta| crdt.apply(delta, NOW))?;
    Ok(crdt)
}

#[track_caller]
fn assert_state(deltas: impl IntoIterator<Item = CrdtDelta>, state: &CrdtDelta) {
    assert_eq!(after(deltas).unwrap().full_state(), *state);
}

#[test]
fn counters_add_up() {
    assert_state([g_counter(0)], &g_counter(0));
    assert_state([g_counter(2), g_counter(40)], &g_counter(42));
    assert_state([g_counter(i64::MAX as u64)], &g_counter(i64::MAX as u64));
    assert_state([pn_counter(2), pn_counter(-7)], &pn_counter(-5));
    assert_state([pn_counter(i64::MIN)], &pn_counter(i64::MIN));
}

#[test]
fn sets_keep_the_order_of_addition() {
    assert_state([g_set("")], &g_set(""));
    assert_state([g_set("b a"), g_set("c b")], &g_set("b a c"));
    assert_state([or_set(false, "", "c b a"), or_set(false, "b x", "d a")], &or_set(false, "", "c a d"));
    assert_state([or_set(false, "", "a b"), or_set(true, "", "")], &or_set(false, "", ""));
    assert_state([or_set(false, "", "a b"), or_set(true, "b", "b a")], &or_set(false, "", "b a"));
    assert_state([or_set(false, "", "a b c"), or_set(false, "a b", "a")], &or_set(false, "", "c a"));
}

#[test]
fn elements_differ_by_type_url_or_bytes() {
    let other = Any { type_url: "other".to_owned(), ..text("a") };
    let added = vec![text("a"), other, text("a"), text("b")];
    let crdt = after([delta(Delta::Gset(GSetDelta { added }))]).unwrap();
    let Some(Delta::Gset(state)) = crdt.full_state().delta else { panic!("a GSet") };
    assert_eq!(state.added.len(), 3);
}

#[test]
fn a_flag_stays_on_and_a_vote_may_change() {
    assert_state([flag(false), flag(false)], &flag(false));
    assert_state([flag(false), flag(true), flag(true)], &flag(true));
    assert_state([vote(false, 0, 0)], &vote(false, 0, 1));
    assert_state([vote(true, 7, 9)], &vote(true, 1, 1));
    assert_state([vote(true, 0, 0), vote(false, 5, 5)], &vote(false, 0, 1));
}

#[test]
fn of_two_writes_the_later_clock_wins() {
    use CrdtClock::{Custom, CustomAutoIncrement, Default, Reverse};
    let state = |value| register(value, Default, 0);
    let cases = [
        // The clock of the first write, its value; the second; who wins.
        ((Default, 0), (Default, 0), "second"),
        ((Default, 0), (Reverse, 0), "first"),
        ((Default, 0), (Custom, NOW - 1), "first"),
        ((Default, 0), (Custom, NOW + 1), "second"),
        ((Reverse, 0), (Reverse, 0), "first"),
        ((Reverse, 0), (Default, 0), "second"),
        // A small custom clock is its own baseline.
        ((Custom, 5), (Custom, 6), "second"),
        ((Custom, 5), (Custom, 4), "first"),
        ((Custom, 5), (Custom, 5), "second"),
        ((Custom, i64::MIN), (Custom, i64::MIN + 1), "second"),
        ((CustomAutoIncrement, 5), (Custom, 4), "first"),
        ((CustomAutoIncrement, 5), (CustomAutoIncrement, 1), "second"),
        ((CustomAutoIncrement, i64::MAX), (CustomAutoIncrement, 1), "second"),
        ((Custom, i64::MAX), (Default, 0), "second"),
        ((Custom, i64::MIN + 1), (Reverse, 0), "first"),
    ];
    for ((first, one), (second, two), winner) in cases {
        let crdt = after([register("first", first, one), register("second", second, two)]).unwrap();
        assert_eq!(crdt.full_state(), state(winner), "{first:?} {one}, then {second:?} {two}");
    }
}

#[test]
fn an_incremented_clock_is_one_more_than_the_current() {
    use CrdtClock::{Custom, CustomAutoIncrement};
    let writes =
        |last| [register("a", Custom, 5), register("b", CustomAutoIncrement, 3), register("c", Custom, last)];
    assert_state(writes(5), &register("b", CrdtClock::Default, 0));
    assert_state(writes(6), &register("c", CrdtClock::Default, 0));
}

#[test]
fn an_unknown_clock_is_the_default_one() {
    let mut unknown = register("second", CrdtClock::Default, 0);
    if let Some(Delta::Lwwregister(register)) = &mut unknown.delta {
        register.clock = 77;
    }
    assert_state(
        [register("first", CrdtClock::Default, 0), unknown],
        &register("second", CrdtClock::Default, 0),
    );
}

#[test]
fn maps_clear_then_remove_then_update_then_add() {
    let start = map(&[("a", g_counter(1)), ("b", flag(false)), ("c", g_set("x"))]);
    assert_state([start.clone()], &start);
    assert_state([start.clone(), or_map(true, "", &[], &[])], &map(&[]));
    assert_state(
        [start.clone(), or_map(false, "b nobody", &[], &[])],
        &map(&[("a", g_counter(1)), ("c", g_set("x"))]),
    );
    assert_state(
        [start.clone(), or_map(false, "", &[("c", g_set("y")), ("a", g_counter(4))], &[])],
        &map(&[("a", g_counter(5)), ("b", flag(false)), ("c", g_set("x y"))]),
    );
    // Updates of what is gone or was replaced are ignored.
    assert_state([start.clone(), or_map(false, "", &[("z", g_counter(4)), ("a", flag(true))], &[])], &start);
    // An entry that is there is merged into.
    assert_state(
        [
            start.clone(),
            or_map(false, "a", &[("a", g_counter(9))], &[("a", g_counter(4)), ("b", flag(true))]),
        ],
        &map(&[("b", flag(true)), ("c", g_set("x")), ("a", g_counter(4))]),
    );
    assert_state(
        [start, or_map(true, "", &[("a", g_counter(9))], &[("c", map(&[("d", vote(true, 0, 0))]))])],
        &map(&[("c", map(&[("d", vote(true, 1, 1))]))]),
    );
}

#[test]
fn what_a_crdt_does_not_allow() {
    use Violation::*;
    let incompatible = |expected, found| Incompatible { expected, found };
    let nothing = CrdtDelta { delta: None };
    let cases = [
        (vec![nothing.clone()], EmptyDelta),
        (vec![g_set("a"), nothing.clone()], EmptyDelta),
        (vec![map(&[("a", nothing.clone())])], EmptyDelta),
        (vec![map(&[]), or_map(false, "", &[("a", nothing)], &[])], EmptyDelta),
        (vec![g_counter(1), pn_counter(1)], incompatible("GCounter", "PNCounter")),
        (vec![g_set("a"), or_set(false, "", "a")], incompatible("GSet", "ORSet")),
        (vec![map(&[("a", flag(true))]), map(&[("a", vote(true, 0, 0))])], incompatible("Flag", "Vote")),
        (vec![g_counter(1 << 63)], GCounterOverflow),
        (vec![g_counter(u64::MAX)], GCounterOverflow),
        (vec![g_counter(i64::MAX as u64), g_counter(1)], GCounterOverflow),
        (vec![pn_counter(i64::MAX), pn_counter(1)], PNCounterOverflow),
        (vec![pn_counter(i64::MIN), pn_counter(-1)], PNCounterOverflow),
        (vec![flag(true), flag(false)], FlagDisabled),
        (vec![map(&[("a", flag(true))]), or_map(false, "", &[("a", flag(false))], &[])], FlagDisabled),
        (vec![nested(MAX_DEPTH + 1)], TooDeep),
    ];
    for (deltas, violation) in cases {
        assert_eq!(after(deltas.clone()), Err(violation), "{deltas:?}");
    }
    assert!(after([nested(MAX_DEPTH)]).is_ok());
}

/// So many maps in each other.
fn nested(depth: usize) -> CrdtDelta {
    (1..depth).fold(or_map(false, "", &[], &[]), |inner, _| or_map(false, "", &[], &[("k", inner)]))
}

#[test]
fn the_deepest_map_can_be_stored_and_read() {
    let crdt = after([nested(MAX_DEPTH)]).unwrap();
    assert_eq!(Crdt::from_stored(&crdt.to_stored()), Ok(crdt));
}

#[test]
fn a_stored_register_keeps_its_clock() {
    let stored = after([register("a", CrdtClock::Custom, 5)]).unwrap().to_stored();
    let Some(Delta::Lwwregister(delta)) = CrdtDelta::decode(stored.value.clone()).unwrap().delta else {
        panic!("a register")
    };
    assert_eq!((delta.clock(), delta.custom_clock_value), (CrdtClock::Custom, 5));
    let mut read = Crdt::from_stored(&stored).unwrap();
    read.apply(register("b", CrdtClock::Custom, 4), NOW).unwrap();
    assert_eq!(read.full_state(), register("a", CrdtClock::Default, 0));
}

#[test]
fn what_is_no_stored_crdt_is_refused() {
    let good = after([g_counter(1)]).unwrap().to_stored();
    let bad = [
        Any { type_url: "type.googleapis.com/other.Type".to_owned(), ..good.clone() },
        Any { value: vec![0xff; 3].into(), ..good.clone() },
        Any { value: Default::default(), ..good },
    ];
    for bad in bad {
        let error = Crdt::from_stored(&bad).unwrap_err().to_string();
        assert!(error.starts_with("the stored CRDT cannot be read: "), "{error}");
    }
}

fn element() -> impl Strategy<Value = Any> {
    prop_oneof![9 => "[a-e]{1,2}", 1 => "[a-e]{0,300}"].prop_map(|chars| text(&chars))
}

/// A delta of any type; one in many is nonsense.
fn any_delta() -> impl Strategy<Value = CrdtDelta> {
    let leaf = prop_oneof![
        (0_u64..9).prop_map(g_counter),
        (-9_i64..9).prop_map(pn_counter),
        vec(element(), 0..4).prop_map(|added| delta(Delta::Gset(GSetDelta { added }))),
        (any::<bool>(), vec(element(), 0..4), vec(element(), 0..4)).prop_map(|(cleared, removed, added)| {
            delta(Delta::Orset(OrSetDelta { cleared, removed, added }))
        }),
        ("[a-e]", 0..6_i32, -5_i64..5).prop_map(|(value, clock, custom_clock_value)| {
            let value = Some(text(&value));
            delta(Delta::Lwwregister(LwwRegisterDelta { value, clock, custom_clock_value }))
        }),
        any::<bool>().prop_map(flag),
        (any::<bool>(), any::<i32>(), any::<i32>()).prop_map(|(own, votes, voters)| vote(own, votes, voters)),
        prop_oneof![
            Just(CrdtDelta { delta: None }),
            Just(g_counter(u64::MAX)),
            Just(pn_counter(i64::MAX)),
            any::<i64>().prop_map(|clock| delta(Delta::Lwwregister(LwwRegisterDelta {
                value: None,
                clock: CrdtClock::Custom.into(),
                custom_clock_value: clock,
            }))),
        ],
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let entry = (proptest::option::weighted(0.95, element()), proptest::option::weighted(0.95, inner))
            .prop_map(|(key, delta)| OrMapEntryDelta { key, delta });
        let entries = vec(entry, 0..4).boxed();
        (any::<bool>(), vec(element(), 0..3), entries.clone(), entries).prop_map(
            |(cleared, removed, updated, added)| {
                delta(Delta::Ormap(OrMapDelta { cleared, removed, updated, added }))
            },
        )
    })
}

proptest! {
    /// Deltas in any order: those that are not allowed are refused, and after each one that is, state and store agree.
    #[test]
    fn what_is_stored_is_what_is_read(deltas in vec(any_delta(), 1..12), now in any::<i64>()) {
        let mut crdt: Option<Crdt> = None;
        for delta in deltas {
            let mut next = crdt.clone();
            let applied = match &mut next {
                Some(next) => next.apply(delta, now),
                None => Crdt::create(delta, now).map(|created| next = Some(created)),
            };
            if applied.is_err() {
                continue;
            }
            crdt = next;
            let Some(crdt) = &crdt else { continue };
            let stored = crdt.to_stored();
            let read = Crdt::from_stored(&stored).unwrap();
            // Bytes, and not only values: also the order is kept.
            prop_assert_eq!(read.to_stored(), stored.clone());
            prop_assert_eq!(read.full_state(), crdt.full_state());
            prop_assert_eq!(&read, crdt);
            prop_assert_eq!(read.bytes(), crdt.bytes());
            prop_assert!(stored.value.len() <= crdt.bytes(), "{} > {}", stored.value.len(), crdt.bytes());
            // What the user function builds from it is the same value.
            prop_assert_eq!(Crdt::create(crdt.full_state(), now).unwrap().full_state(), crdt.full_state());
        }
    }

    /// A set against the plainest list.
    #[test]
    fn a_set_is_a_list_without_duplicates(
        changes in vec((any::<bool>(), vec(element(), 0..4), vec(element(), 0..4)), 1..12),
    ) {
        let mut list: Vec<Any> = Vec::new();
        let mut crdt = Crdt::create(or_set(false, "", ""), NOW).unwrap();
        for (cleared, removed, added) in changes {
            if cleared {
                list.clear();
            }
            list.retain(|element| !removed.contains(element));
            for element in &added {
                if !list.contains(element) {
                    list.push(element.clone());
                }
            }
            crdt.apply(delta(Delta::Orset(OrSetDelta { cleared, removed, added })), NOW).unwrap();
        }
        let state = delta(Delta::Orset(OrSetDelta { added: list, ..OrSetDelta::default() }));
        prop_assert_eq!(crdt.full_state(), state);
    }

    /// Bytes from anywhere, as a delta and as what is in the store.
    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..64)) {
        let stored = Any { value: bytes.clone().into(), ..after([g_counter(1)]).unwrap().to_stored() };
        let read = Crdt::from_stored(&stored);
        if let Ok(delta) = CrdtDelta::decode(&*bytes) {
            prop_assert_eq!(Crdt::create(delta, 0).is_ok(), read.is_ok());
        }
    }
}

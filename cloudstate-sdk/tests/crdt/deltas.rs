//! What each type sends: the net change, and nothing when there is none.

use cloudstate_sdk::crdt::{
    AnyCrdt, Clock, Crdt, Flag, GCounter, GSet, LWWRegister, LWWRegisterMap, ORMap, ORMultiMap, ORSet,
    PNCounter, PNCounterMap, Vote,
};

use crate::notation::written;

/// Runs the operations as one command.
#[track_caller]
fn sends<C: Crdt>(crdt: &mut C, operations: impl FnOnce(&mut C), expected: &str) {
    operations(crdt);
    assert_eq!(written(crdt.take_delta()), expected);
    assert_eq!(crdt.take_delta(), None);
    assert!(!crdt.has_changed());
}

fn add<const N: usize>(set: &mut ORSet<String>, elements: [&str; N]) {
    set.extend(elements.map(str::to_owned));
}

fn or_set<const N: usize>(elements: [&str; N]) -> ORSet<String> {
    let mut set = ORSet::new();
    add(&mut set, elements);
    set.mark_sent();
    set
}

#[test]
fn counters_send_the_sum() {
    sends(&mut GCounter::new(), |counter| counter.increment(0), "-");
    sends(&mut GCounter::new(), |counter| [1, 2, 3].into_iter().for_each(|n| counter.increment(n)), "Δ6");
    sends(&mut PNCounter::new(), |_| {}, "-");
    sends(
        &mut PNCounter::new(),
        |counter| {
            counter.increment(5);
            counter.decrement(5);
        },
        "-",
    );
    sends(
        &mut PNCounter::new(),
        |counter| {
            counter.decrement(4);
            counter.increment(5);
            counter.decrement(6);
        },
        "Δ-5",
    );
}

#[test]
fn a_g_counter_stops_where_proxies_do() {
    let mut counter = GCounter::new();
    counter.increment(u64::MAX);
    assert_eq!(counter.value(), i64::MAX as u64);
    counter.increment(1);
    sends(&mut counter, |_| {}, &format!("Δ{}", i64::MAX));
}

#[test]
fn a_pn_counter_wraps_and_comes_back() {
    let mut counter = PNCounter::new();
    counter.decrement(i64::MIN);
    assert_eq!(counter.value(), i64::MIN);
    counter.increment(-1);
    counter.roll_back();
    assert_eq!(counter.value(), 0);
}

#[test]
fn a_g_set_sends_what_is_new() {
    let mut set = GSet::<String>::new();
    sends(&mut set, |set| set.extend(["b".into(), "a".into()]), "Δ{a,b}");
    sends(&mut set, |set| set.extend(["b".into(), "c".into()]), "Δ{c}");
    sends(&mut set, |set| set.extend(["c".into(), "a".into()]), "-");
}

#[test]
fn an_or_set_sends_the_difference() {
    sends(&mut or_set(["a", "b", "c"]), |set| assert!(!set.remove("d")), "-");
    sends(
        &mut or_set(["a", "c"]),
        |set| {
            set.remove("c");
            set.remove("d");
            add(set, ["b", "c"]);
        },
        "Δ(add{b})",
    );
    sends(&mut or_set(["a", "b", "c"]), ORSet::clear, "Δ(clear)");
    sends(&mut or_set([]), ORSet::clear, "Δ(clear)");
    sends(
        &mut or_set([]),
        |set| {
            add(set, ["a"]);
            set.clear();
            add(set, ["x"]);
        },
        "Δ(clear add{x})",
    );
    sends(
        &mut or_set(["p", "q"]),
        |set| {
            add(set, ["x", "y"]);
            set.remove("x");
        },
        "Δ(add{y})",
    );
    sends(
        &mut or_set(["x", "y", "z"]),
        |set| {
            add(set, ["q", "x"]);
            set.remove("z");
        },
        "Δ(rm{z} add{q})",
    );
    // To remove the only element is to clear the set, as in every language.
    sends(&mut or_set(["a"]), |set| assert!(set.remove("a")), "Δ(clear)");
    sends(
        &mut or_set(["a", "b"]),
        |set| {
            set.remove("b");
            set.remove("a");
            add(set, ["x"]);
        },
        "Δ(clear add{x})",
    );
    sends(
        &mut or_set([]),
        |set| {
            add(set, ["a"]);
            set.remove("a");
        },
        "-",
    );
    sends(&mut or_set(["a", "b"]), |set| set.retain(|_| false), "Δ(clear)");
    sends(&mut or_set(["a", "b", "c"]), |set| set.retain(|element| element == "b"), "Δ(rm{a,c})");
}

#[test]
fn a_register_sends_its_first_value_and_every_write() {
    let mut register = LWWRegister::<String>::default();
    sends(&mut register, |_| {}, "Δ\"\"");
    sends(&mut register, |_| {}, "-");
    sends(
        &mut register,
        |register| {
            register.set("one".into());
            register.set("two".into());
        },
        "Δ\"two\"",
    );
    sends(&mut register, |register| register.set("two".into()), "Δ\"two\"");
    for (clock, expected) in [
        (Clock::Reverse, "Δ\"A\" @1 0"),
        (Clock::Custom(123), "Δ\"A\" @2 123"),
        (Clock::CustomAutoIncrement(456), "Δ\"A\" @3 456"),
        (Clock::Default, "Δ\"A\""),
    ] {
        sends(&mut register, |register| register.set_with("A".into(), clock), expected);
    }
}

#[test]
fn a_register_keeps_its_first_value_for_the_next_reply_when_a_command_fails() {
    let mut register = LWWRegister::new("first".to_owned());
    register.set("second".into());
    register.roll_back();
    assert_eq!(register.get(), "first");
    sends(&mut register, |_| {}, "Δ\"first\"");
}

#[test]
fn what_comes_from_others_takes_the_place_of_the_first_value() {
    let mut register = LWWRegister::<String>::default();
    register.apply(LWWRegister::new("one".to_owned()).state()).unwrap();
    assert_eq!(register.get(), "one");
    sends(&mut register, |_| {}, "-");
}

#[test]
fn a_flag_is_sent_once() {
    let mut flag = Flag::new();
    flag.apply(Flag::new().state()).unwrap();
    sends(&mut flag, |_| {}, "-");
    sends(&mut flag, Flag::enable, "Δtrue");
    sends(&mut flag, Flag::enable, "-");
    flag.apply(Flag::new().state()).unwrap();
    assert!(flag.is_enabled());
}

#[test]
fn a_vote_is_sent_when_it_differs() {
    let mut vote = Vote::new();
    assert_eq!((vote.self_vote(), vote.votes_for(), vote.voters()), (false, 0, 1));
    sends(&mut vote, |vote| vote.vote(false), "-");
    sends(&mut vote, |vote| vote.vote(true), "Δtrue");
    assert_eq!(vote.votes_for(), 1);
    sends(&mut vote, |vote| vote.vote(true), "-");
    sends(
        &mut vote,
        |vote| {
            vote.vote(false);
            vote.vote(true);
        },
        "-",
    );
    sends(&mut vote, |vote| vote.vote(false), "Δfalse");
    assert_eq!(vote.votes_for(), 0);
}

fn any(key: &str) -> AnyCrdt {
    match key.split('-').next().unwrap() {
        "PNCounter" => PNCounter::new().into(),
        "ORSet" => ORSet::new().into(),
        "Flag" => Flag::new().into(),
        "ORMap" => ORMap::new().into(),
        other => panic!("no such type here: {other}"),
    }
}

fn create<'a>(map: &'a mut ORMap<String, AnyCrdt>, key: &str) -> &'a mut AnyCrdt {
    map.get_or_insert_with(key.to_owned(), || any(key))
}

fn count(map: &mut ORMap<String, AnyCrdt>, key: &str, by: i64) {
    match create(map, key) {
        AnyCrdt::PNCounter(counter) => counter.increment(by),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_map_sends_entries_by_what_happened_to_them() {
    let mut map = ORMap::<String, AnyCrdt>::new();
    sends(&mut map, |_| {}, "-");
    sends(
        &mut map,
        |map| {
            create(map, "PNCounter-1");
            create(map, "ORSet-1");
            create(map, "ORMap-1");
        },
        "Δ(add{ORMap-1: Δ(), ORSet-1: Δ(), PNCounter-1: Δ+0})",
    );
    sends(
        &mut map,
        |map| {
            create(map, "ORSet-1");
            count(map, "PNCounter-1", 42);
            count(map, "PNCounter-2", 7);
        },
        "Δ(upd{PNCounter-1: Δ+42} add{PNCounter-2: Δ+7})",
    );
    sends(
        &mut map,
        |map| {
            count(map, "PNCounter-1", 1);
            map.remove("PNCounter-1");
            create(map, "Flag-1");
            map.remove("Flag-1");
        },
        "Δ(rm{PNCounter-1})",
    );
    sends(
        &mut map,
        |map| {
            count(map, "PNCounter-2", 1);
            map.remove("PNCounter-2");
            map.get_or_insert_with("PNCounter-2".into(), || Flag::new().into());
        },
        "Δ(rm{PNCounter-2} add{PNCounter-2: Δfalse})",
    );
    sends(
        &mut map,
        |map| {
            map.remove("ORSet-1");
            create(map, "ORSet-2");
            map.clear();
            count(map, "PNCounter-1", 123);
        },
        "Δ(clear add{PNCounter-1: Δ+123})",
    );
    sends(&mut map, ORMap::clear, "Δ(clear)");
    sends(&mut map, ORMap::clear, "Δ(clear)");
    assert!(map.is_empty());
}

#[test]
fn convenient_maps_are_maps() {
    let mut stock = PNCounterMap::<String>::new();
    stock.increment("tea".into(), 3);
    sends(&mut stock, |stock| stock.decrement("tea".into(), 1), "Δ(add{tea: Δ+2})");
    sends(&mut stock, |stock| stock.decrement("tea".into(), 1), "Δ(upd{tea: Δ-1})");
    assert_eq!(stock.value("tea"), 1);

    let mut settings = LWWRegisterMap::<String, String>::new();
    sends(&mut settings, |settings| settings.set("sound".into(), "on".into()), "Δ(add{sound: Δ\"on\"})");
    sends(&mut settings, |settings| settings.set("sound".into(), "off".into()), "Δ(upd{sound: Δ\"off\"})");
    assert_eq!(settings.value("sound").map(String::as_str), Some("off"));

    let mut tags = ORMultiMap::<String, String>::new();
    sends(&mut tags, |tags| assert!(tags.insert("tea".into(), "hot".into())), "Δ(add{tea: Δ(add{hot})})");
    sends(
        &mut tags,
        |tags| {
            assert!(tags.remove_value("tea", "hot"));
            assert!(!tags.remove_value("milk", "hot"));
        },
        "Δ(upd{tea: Δ(clear)})",
    );
    assert_eq!(tags.values_of("tea").count(), 0);
}

//! Changes of others, for a CRDT of any type: the first byte picks the type, then each `CrdtDelta` stands behind its
//! length, a varint. A change is refused, or taken so that the state is what another node would load, and nothing is
//! unsent; what is changed here and taken back has not been.
#![no_main]

use bytes::Bytes;
use cloudstate_fuzz::messages;
use cloudstate_sdk::crdt::{
    AnyCrdt, Crdt, Delta, Flag, GCounter, GSet, LWWRegister, LWWRegisterMap, ORMap, ORMultiMap, ORSet,
    PNCounter, PNCounterMap, Vote,
};
use libfuzzer_sys::fuzz_target;

/// Several in one.
#[derive(Crdt, Clone, Debug, Default)]
struct Product {
    members: ORSet<String>,
    topic: LWWRegister<String>,
    nested: Nested,
}

#[derive(Crdt, Clone, Debug, Default)]
struct Nested {
    count: PNCounter,
    closed: Flag,
}

const TYPES: [fn(&[Bytes]); 14] = [
    feed::<GCounter>,
    feed::<PNCounter>,
    feed::<GSet<String>>,
    feed::<GSet<i64>>,
    feed::<ORSet<String>>,
    feed::<ORSet<Vec<u8>>>,
    feed::<LWWRegister<String>>,
    feed::<Flag>,
    feed::<Vote>,
    feed::<ORMap<String, AnyCrdt>>,
    feed::<PNCounterMap<String>>,
    feed::<LWWRegisterMap<String, f64>>,
    feed::<ORMultiMap<String, i32>>,
    feed::<Product>,
];

fuzz_target!(|input: &[u8]| {
    let Some((which, rest)) = input.split_first() else { return };
    let deltas = messages(rest);
    match TYPES.get(usize::from(*which)) {
        Some(feed) => feed(&deltas),
        // Of the type that the first change is of.
        None => feed::<AnyCrdt>(&deltas),
    }
});

fn feed<C: Crdt>(deltas: &[Bytes]) {
    let mut crdt: Option<C> = None;
    for delta in deltas {
        let Ok(delta) = Delta::decode(delta) else { return };
        // What is refused leaves nothing that could be used.
        let Some(next) = next(crdt, delta) else { return };
        assert!(!next.has_changed(), "{next:?}");
        assert_eq!(next.unsent(), None, "{next:?}");
        let state = next.state();
        let copy = C::from_state(Delta::decode(&state.encode()).expect("we read what we write"));
        let copy = copy.expect("a state is taken by its own type");
        assert_eq!(copy.state(), state, "{next:?}");
        let mut same = next.clone();
        same.roll_back();
        assert_eq!(same.state(), state, "{next:?}");
        crdt = Some(next);
    }
}

/// The first change is what the proxy has.
fn next<C: Crdt>(crdt: Option<C>, delta: Delta) -> Option<C> {
    match crdt {
        None => C::from_state(delta).ok(),
        Some(mut crdt) => crdt.apply(delta).is_ok().then_some(crdt),
    }
}

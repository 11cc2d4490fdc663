//! Byte for byte what the protocol says, and what other languages write.

use cloudstate_sdk::Any;
use cloudstate_sdk::crdt::{
    Clock, Crdt, CrdtValue, Delta, Flag, GCounter, GSet, LWWRegister, ORMap, ORSet, PNCounter, Vote,
};
use proptest::prelude::*;
use prost::Message;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn any_hex(value: &impl CrdtValue) -> String {
    hex(&value.to_any().encode_to_vec())
}

fn delta_hex(crdt: &mut impl Crdt) -> String {
    crdt.take_delta().map(|delta| hex(&delta.encode())).unwrap_or_default()
}

#[test]
fn primitives_are_those_of_the_protocol() {
    for (encoded, expected) in [
        (any_hex(&"abc".to_string()), "0a16702e636c6f756473746174652e696f2f737472696e6712050a03616263"),
        (any_hex(&String::new()), "0a16702e636c6f756473746174652e696f2f737472696e67"),
        (
            any_hex(&"héllo".to_string()),
            "0a16702e636c6f756473746174652e696f2f737472696e6712080a0668c3a96c6c6f",
        ),
        (any_hex(&vec![0u8, 1, 255]), "0a15702e636c6f756473746174652e696f2f627974657312050a030001ff"),
        (any_hex(&Vec::<u8>::new()), "0a15702e636c6f756473746174652e696f2f6279746573"),
        (any_hex(&prost::bytes::Bytes::new()), "0a15702e636c6f756473746174652e696f2f6279746573"),
        (any_hex(&0i32), "0a15702e636c6f756473746174652e696f2f696e743332"),
        (any_hex(&300i32), "0a15702e636c6f756473746174652e696f2f696e743332120308ac02"),
        (any_hex(&-1i32), "0a15702e636c6f756473746174652e696f2f696e743332120b08ffffffffffffffffff01"),
        (any_hex(&0i64), "0a15702e636c6f756473746174652e696f2f696e743634"),
        (any_hex(&2789i64), "0a15702e636c6f756473746174652e696f2f696e743634120308e515"),
        (any_hex(&-1i64), "0a15702e636c6f756473746174652e696f2f696e743634120b08ffffffffffffffffff01"),
        (any_hex(&true), "0a14702e636c6f756473746174652e696f2f626f6f6c12020801"),
        (any_hex(&false), "0a14702e636c6f756473746174652e696f2f626f6f6c"),
        (any_hex(&1.2345f64), "0a16702e636c6f756473746174652e696f2f646f75626c651209098d976e1283c0f33f"),
        (any_hex(&0.0f64), "0a16702e636c6f756473746174652e696f2f646f75626c65"),
        (any_hex(&0.5f32), "0a15702e636c6f756473746174652e696f2f666c6f617412050d0000003f"),
        (any_hex(&0.0f32), "0a15702e636c6f756473746174652e696f2f666c6f6174"),
        (
            any_hex(&()),
            "0a29747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e456d707479",
        ),
    ] {
        assert_eq!(encoded, expected);
    }
}

#[test]
fn deltas_are_those_of_the_protocol() {
    let mut counter = GCounter::new();
    assert_eq!(hex(&counter.state().encode()), "0a00");
    counter.increment(5);
    assert_eq!(delta_hex(&mut counter), "0a020805");

    let mut counter = PNCounter::new();
    counter.decrement(1);
    assert_eq!(delta_hex(&mut counter), "12020801");
    counter.increment(42);
    assert_eq!(delta_hex(&mut counter), "12020854");

    let mut set = GSet::new();
    set.insert("a".to_string());
    assert_eq!(delta_hex(&mut set), "1a1f0a1d0a16702e636c6f756473746174652e696f2f737472696e6712030a0161");

    let mut set = ORSet::new();
    set.clear();
    set.insert("x".to_string());
    assert_eq!(delta_hex(&mut set), "222108011a1d0a16702e636c6f756473746174652e696f2f737472696e6712030a0178");

    let mut register = LWWRegister::<String>::default();
    assert_eq!(delta_hex(&mut register), "2a1a0a180a16702e636c6f756473746174652e696f2f737472696e67");
    register.set_with(String::new(), Clock::Custom(7));
    assert_eq!(delta_hex(&mut register), "2a1e0a180a16702e636c6f756473746174652e696f2f737472696e6710021807");

    let mut flag = Flag::new();
    flag.enable();
    assert_eq!(delta_hex(&mut flag), "32020801");

    let mut map = ORMap::<String, GCounter>::new();
    map.get_or_default("k".to_string());
    assert_eq!(
        delta_hex(&mut map),
        "3a2522230a1d0a16702e636c6f756473746174652e696f2f737472696e6712030a016b12020a00"
    );

    let mut vote = Vote::new();
    vote.vote(true);
    assert_eq!(delta_hex(&mut vote), "42020801");
    vote.vote(false);
    assert_eq!(delta_hex(&mut vote), "4200");
    vote.apply(Delta::decode(&[0x42, 0x06, 0x08, 0x01, 0x10, 0x02, 0x18, 0x03]).unwrap()).unwrap();
    assert_eq!((vote.self_vote(), vote.votes_for(), vote.voters()), (true, 2, 3));
}

fn any(type_url: &str, value: &'static [u8]) -> Any {
    Any { type_url: type_url.into(), value: value.into() }
}

#[test]
fn what_other_languages_write_is_understood() {
    let string = |value| String::from_any(&any("p.cloudstate.io/string", value));
    assert_eq!(string(b"\x0a\x00").unwrap(), "");
    // Other fields are skipped, and of several the last counts.
    assert_eq!(string(b"\x10\x01\x0a\x01a\x0a\x01b").unwrap(), "b");
    assert_eq!(bool::from_any(&any("p.cloudstate.io/bool", b"\x08\x00")), Ok(false));
    assert!(string(b"\x08\x01").is_err());
    assert!(string(b"\x0a\x05a").is_err());
    assert!(i64::from_any(&any("p.cloudstate.io/int32", b"\x08\x01")).unwrap_err().is_unknown_type());
    let other = any("json.cloudstate.io/object", b"\x0a\x02{}");
    assert_eq!(Any::from_any(&other).unwrap(), other);
    assert_eq!(other.to_any(), other);
}

#[test]
fn an_element_that_others_encode_in_another_way_is_the_same_here() {
    let default_written_out = any("p.cloudstate.io/string", b"\x0a\x00");
    let added = |form: &Any| {
        let mut set = ORSet::<Any>::new();
        set.insert(form.clone());
        set.state()
    };
    let mut set = ORSet::<String>::from_state(added(&default_written_out)).unwrap();
    assert!(set.contains(""));
    assert!(!set.insert(String::new()));
    assert_eq!(set.unsent(), None);
    set.apply(added(&String::new().to_any())).unwrap();
    assert_eq!(set.len(), 1);

    // To the proxy they are two elements, and the value is gone once both are.
    set.remove("");
    let removed = ORSet::<Any>::from_state(set.unsent().unwrap());
    assert_eq!(removed.unwrap().len(), 0);
    let mut proxy = ORSet::<Any>::from_state(added(&default_written_out)).unwrap();
    proxy.apply(added(&String::new().to_any())).unwrap();
    assert_eq!(proxy.len(), 2);
    proxy.apply(set.take_delta().unwrap()).unwrap();
    assert!(proxy.is_empty());
}

#[test]
fn a_key_is_removed_as_others_wrote_it() {
    let mut proxy = ORMap::<Any, Flag>::new();
    proxy.get_or_default(any("p.cloudstate.io/string", b"\x0a\x00"));
    let mut map = ORMap::<String, Flag>::from_state(proxy.state()).unwrap();
    map.get_mut("").unwrap().enable();
    proxy.apply(map.take_delta().unwrap()).unwrap();
    assert!(proxy.values().all(Flag::is_enabled));
    map.remove("");
    proxy.apply(map.take_delta().unwrap()).unwrap();
    assert!(proxy.is_empty());
}

#[test]
fn texts_come_in_alphabetical_order() {
    let mut set = GSet::new();
    set.extend(["b", "aa", "", "a", &"a".repeat(200)].map(str::to_owned));
    assert_eq!(set.iter().collect::<Vec<_>>(), ["", "a", "aa", &"a".repeat(200), "b"]);
}

proptest! {
    #[test]
    fn values_survive_and_are_always_encoded_the_same_way(
        text: String,
        number: i64,
        small: i32,
        truth: bool,
        bytes: Vec<u8>,
        real in proptest::num::f64::NORMAL,
    ) {
        fn check<T: CrdtValue + PartialEq>(value: T) {
            let any = value.to_any();
            assert_eq!(any, value.clone().to_any());
            let read = T::from_any(&any).unwrap();
            assert_eq!(read.to_any(), any);
            assert!(read == value);
        }
        check(text);
        check(number);
        check(small);
        check(truth);
        check(bytes);
        check(real);
    }
}

//! Deltas and values in the notation of the conformance scenarios: `Δ(clear rm{a} add{b})`.

use cloudstate_proto::crdt::{CrdtDelta, OrMapEntryDelta, crdt_delta};
use cloudstate_sdk::Any;
use cloudstate_sdk::crdt::{CrdtValue, Delta};
use prost::Message;

/// `-` for none.
pub(crate) fn written(delta: Option<Delta>) -> String {
    delta.map_or_else(|| "-".into(), |delta| text(CrdtDelta::decode(&*delta.encode()).unwrap()))
}

fn text(delta: CrdtDelta) -> String {
    match delta.delta.unwrap() {
        crdt_delta::Delta::Gcounter(counter) => format!("Δ{}", counter.increment),
        crdt_delta::Delta::Pncounter(counter) => format!("Δ{:+}", counter.change),
        crdt_delta::Delta::Gset(set) => format!("Δ{{{}}}", keys(&set.added)),
        crdt_delta::Delta::Orset(set) => {
            parts(set.cleared, [("rm", keys(&set.removed)), ("add", keys(&set.added))])
        }
        crdt_delta::Delta::Lwwregister(register) => {
            let value = String::from_any(&register.value.unwrap()).unwrap();
            let clock = match (register.clock, register.custom_clock_value) {
                (0, 0) => String::new(),
                (clock, number) => format!(" @{clock} {number}"),
            };
            format!("Δ{value:?}{clock}")
        }
        crdt_delta::Delta::Flag(flag) => format!("Δ{}", flag.value),
        crdt_delta::Delta::Ormap(map) => parts(
            map.cleared,
            [("rm", keys(&map.removed)), ("upd", entries(map.updated)), ("add", entries(map.added))],
        ),
        crdt_delta::Delta::Vote(vote) => {
            assert_eq!((vote.votes_for, vote.total_voters), (0, 0));
            format!("Δ{}", vote.self_vote)
        }
    }
}

fn parts<const N: usize>(cleared: bool, lists: [(&str, String); N]) -> String {
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let lists = lists.map(|(name, list)| format!("{name}{{{list}}}"));
    let parts: Vec<_> = cleared.then(|| "clear".to_owned()).into_iter().chain(lists).collect();
    format!("Δ({})", parts.join(" "))
}

fn keys(keys: &[Any]) -> String {
    keys.iter().map(|key| String::from_any(key).unwrap()).collect::<Vec<_>>().join(",")
}

fn entries(entries: Vec<OrMapEntryDelta>) -> String {
    let entry =
        |entry: OrMapEntryDelta| format!("{}: {}", keys(&[entry.key.unwrap()]), text(entry.delta.unwrap()));
    entries.into_iter().map(entry).collect::<Vec<_>>().join(", ")
}

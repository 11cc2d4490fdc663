//! States of value entities and CRDTs.

use std::sync::Arc;

use bytes::Bytes;
use cloudstate_proto::Any;
use cloudstate_proxy::storage::{
    Change, EntityKey, MAX_APPEND_BYTES, MAX_ID_BYTES, MAX_TYPE_URL_BYTES, Store, StoredCrdt,
};
use futures_util::future::join_all;

use crate::{append, cart, event, payload, read};

fn value(entity: &EntityKey, state: Option<&str>) -> Change {
    Change::Value { entity: entity.clone(), state: state.map(payload) }
}

fn crdt(entity: &EntityKey, state: Option<&str>) -> Change {
    Change::Crdt { entity: entity.clone(), state: state.map(payload) }
}

pub(super) async fn a_value_is_set_replaced_and_removed(store: Arc<dyn Store>) {
    let cart = cart("c1");
    assert_eq!(store.value(&cart).await.unwrap(), None);
    store.write(vec![value(&cart, None)]).await.unwrap();
    for state in [Some("a"), Some("b"), Some("b"), None, None, Some("c")] {
        store.write(vec![value(&cart, state)]).await.unwrap();
        assert_eq!(store.value(&cart).await.unwrap(), state.map(payload));
    }
    // Within one write the last one counts.
    store.write(vec![value(&cart, None), value(&cart, Some("d")), value(&cart, Some("e"))]).await.unwrap();
    assert_eq!(store.value(&cart).await.unwrap(), Some(payload("e")));
    assert_eq!(store.value(&crate::cart("c2")).await.unwrap(), None);
}

pub(super) async fn a_crdt_is_set_replaced_and_stays_deleted(store: Arc<dyn Store>) {
    let cart = cart("c1");
    assert_eq!(store.crdt(&cart).await.unwrap(), None);
    for state in ["a", "b"] {
        store.write(vec![crdt(&cart, Some(state))]).await.unwrap();
        assert_eq!(store.crdt(&cart).await.unwrap(), Some(StoredCrdt::State(payload(state))));
    }
    let unknown = crate::cart("c2");
    for entity in [&cart, &cart, &unknown] {
        store.write(vec![crdt(entity, None)]).await.unwrap();
        assert_eq!(store.crdt(entity).await.unwrap(), Some(StoredCrdt::Deleted));
    }
}

pub(super) async fn states_of_any_bytes_and_types_come_back(store: Arc<dyn Store>) {
    let states = [
        ("", Bytes::new()),
        ("t", Bytes::new()),
        ("a\0b", Bytes::from_static(b"\0\xff")),
        ("ä/é", "x".into()),
    ];
    for (type_url, value) in states {
        let state = Any { type_url: type_url.to_owned(), value };
        let entity = cart("c1");
        let changes = vec![
            Change::Value { entity: entity.clone(), state: Some(state.clone()) },
            Change::Crdt { entity: entity.clone(), state: Some(state.clone()) },
        ];
        store.write(changes).await.unwrap();
        assert_eq!(store.value(&entity).await.unwrap(), Some(state.clone()));
        assert_eq!(store.crdt(&entity).await.unwrap(), Some(StoredCrdt::State(state)));
    }
}

pub(super) async fn kinds_of_entities_of_one_name_do_not_meet(store: Arc<dyn Store>) {
    let cart = cart("c1");
    store.write(vec![value(&cart, Some("value"))]).await.unwrap();
    assert_eq!(store.crdt(&cart).await.unwrap(), None);
    assert_eq!(store.append(append(&cart, 0, ["a"])).await.unwrap(), 1);
    store.write(vec![crdt(&cart, Some("crdt"))]).await.unwrap();
    assert_eq!(store.append(append(&cart, 1, ["b"])).await.unwrap(), 2);

    store.write(vec![value(&cart, None)]).await.unwrap();
    assert_eq!(store.value(&cart).await.unwrap(), None);
    assert_eq!(store.crdt(&cart).await.unwrap(), Some(StoredCrdt::State(payload("crdt"))));
    assert_eq!(read(&*store, &cart).await, [event(1, "a"), event(2, "b")]);
    assert_eq!(store.snapshot(&cart).await.unwrap(), None);
}

pub(super) async fn what_is_too_large_is_refused_before_it_costs_anything(store: Arc<dyn Store>) {
    let long = "x".repeat(MAX_ID_BYTES + 1);
    let key = |kind: &str, id: &str| EntityKey { persistence_id: kind.into(), entity_id: id.into() };
    for (entity, what) in [(key(&long, "1"), "persistence id"), (key("p", &long), "entity id")] {
        for error in [
            store.write(vec![value(&entity, Some("a"))]).await.unwrap_err(),
            store.write(vec![crdt(&entity, None)]).await.unwrap_err(),
            store.value(&entity).await.unwrap_err(),
            store.crdt(&entity).await.unwrap_err(),
        ] {
            assert!(error.is_too_large(), "{error}");
            assert!(error.to_string().contains(what) && error.to_string().contains("4096"), "{error}");
        }
    }
    let typed = Any { type_url: "x".repeat(MAX_TYPE_URL_BYTES + 1), value: Bytes::new() };
    let heavy = Any { type_url: "t".to_owned(), value: vec![0; MAX_APPEND_BYTES + 1].into() };
    for (state, what) in [(typed, "type URL"), (heavy, "one write")] {
        for change in [
            Change::Value { entity: cart("c1"), state: Some(state.clone()) },
            Change::Crdt { entity: cart("c1"), state: Some(state) },
        ] {
            let error = store.write(vec![change]).await.unwrap_err();
            assert!(error.is_too_large() && error.to_string().contains(what), "{error}");
        }
    }
    // Each fits, all together do not.
    let half = Any { type_url: "t".to_owned(), value: vec![0; MAX_APPEND_BYTES / 2].into() };
    let change = Change::Value { entity: cart("c1"), state: Some(half) };
    assert!(store.write(vec![change.clone(), change]).await.unwrap_err().is_too_large());
    assert_eq!(store.value(&cart("c1")).await.unwrap(), None);
    assert_eq!(store.crdt(&cart("c1")).await.unwrap(), None);
}

pub(super) async fn of_a_refused_write_nothing_is_stored(store: Arc<dyn Store>) {
    let cart = cart("c1");
    let long = crate::cart(&"x".repeat(MAX_ID_BYTES + 1));
    let changes = vec![value(&cart, Some("a")), crdt(&cart, Some("a")), value(&long, Some("a"))];
    assert!(store.write(changes).await.unwrap_err().is_too_large());
    assert_eq!(store.value(&cart).await.unwrap(), None);
    assert_eq!(store.crdt(&cart).await.unwrap(), None);
    assert_eq!(store.counters().writes, 0);
    store.write(vec![]).await.unwrap();
}

pub(super) async fn writes_and_appends_take_turns(store: Arc<dyn Store>) {
    let work = (0..200).map(|n| {
        let store = Arc::clone(&store);
        async move {
            let entity = cart(&format!("c{n}"));
            let expected = if n % 10 == 3 { 1 } else { 0 };
            let text = n.to_string();
            let appended = store.append(append(&entity, expected, [&text]));
            let written = store.write(vec![value(&entity, Some(&text)), crdt(&entity, Some(&text))]);
            let (appended, written) = tokio::join!(appended, written);
            written.unwrap();
            assert_eq!(appended.is_ok(), expected == 0, "a conflict fails alone");
            assert_eq!(store.value(&entity).await.unwrap(), Some(payload(&text)));
            assert_eq!(store.crdt(&entity).await.unwrap(), Some(StoredCrdt::State(payload(&text))));
            assert_eq!(read(&*store, &entity).await.len(), usize::from(expected == 0));
        }
    });
    join_all(work).await;
    let counters = store.counters();
    assert_eq!((counters.appends, counters.conflicts, counters.writes), (180, 20, 200));
}

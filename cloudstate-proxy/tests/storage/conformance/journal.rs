//! Events and snapshots.

use std::sync::Arc;

use bytes::Bytes;
use cloudstate_proto::Any;
use cloudstate_proxy::storage::{
    Append, EntityKey, MAX_APPEND_BYTES, MAX_ID_BYTES, MAX_TYPE_URL_BYTES, Store, StoredSnapshot,
};
use futures_util::future::join_all;

use crate::{append, cart, event, payload, read, read_after};

pub(super) async fn an_unknown_entity_has_nothing(store: Arc<dyn Store>) {
    assert_eq!(store.events(&cart("c1"), 0).await.unwrap(), []);
    assert_eq!(store.events(&cart("c1"), 7).await.unwrap(), []);
    assert_eq!(store.snapshot(&cart("c1")).await.unwrap(), None);
}

pub(super) async fn events_come_back_in_order_and_unchanged(store: Arc<dyn Store>) {
    let cart = cart("c1");
    assert_eq!(store.append(append(&cart, 0, ["a", "b"])).await.unwrap(), 2);
    assert_eq!(store.append(append(&cart, 2, ["c"])).await.unwrap(), 3);

    assert_eq!(read(&*store, &cart).await, [event(1, "a"), event(2, "b"), event(3, "c")]);
    assert_eq!(read_after(&*store, &cart, 1).await, [event(2, "b"), event(3, "c")]);
    assert_eq!(read_after(&*store, &cart, 3).await, []);
    assert_eq!(read_after(&*store, &cart, u64::MAX).await, []);
}

pub(super) async fn payloads_of_any_bytes_and_types_come_back(store: Arc<dyn Store>) {
    let cart = cart("c1");
    let events: Vec<Any> = [
        ("", Bytes::new()),
        ("t", Bytes::new()),
        ("a\0b", Bytes::from_static(b"\0\xff")),
        ("ä/é", "x".into()),
    ]
    .into_iter()
    .map(|(type_url, value)| Any { type_url: type_url.to_owned(), value })
    .collect();
    let stored = Append { entity: cart.clone(), expected: 0, events: events.clone(), snapshot: None };
    store.append(stored).await.unwrap();
    let read: Vec<Any> = read(&*store, &cart).await.into_iter().map(|event| event.payload).collect();
    assert_eq!(read, events);
}

pub(super) async fn an_old_sequence_is_a_conflict_and_stores_nothing(store: Arc<dyn Store>) {
    let cart = cart("c1");
    store.append(append(&cart, 0, ["a", "b"])).await.unwrap();
    for expected in [0, 1, 3, u64::MAX] {
        let mut refused = append(&cart, expected, ["x"]);
        refused.snapshot = Some(payload("x"));
        let error = store.append(refused).await.unwrap_err();
        assert!(error.is_conflict(), "{expected}: {error}");
        assert!(error.to_string().contains("\"c1\" of \"shopping-cart\""), "{error}");
    }
    assert!(store.append(append(&crate::cart("new"), 1, ["x"])).await.unwrap_err().is_conflict());

    assert_eq!(read(&*store, &cart).await, [event(1, "a"), event(2, "b")]);
    assert_eq!(store.snapshot(&cart).await.unwrap(), None);
    assert_eq!(read(&*store, &crate::cart("new")).await, []);
    assert_eq!(store.append(append(&cart, 2, ["c"])).await.unwrap(), 3);
    assert_eq!(store.counters().conflicts, 5);
}

pub(super) async fn a_snapshot_is_stored_at_the_last_event(store: Arc<dyn Store>) {
    let cart = cart("c1");
    let snapshot = |expected, events, text: &str| Append {
        entity: cart.clone(),
        expected,
        events: vec![payload("e"); events],
        snapshot: Some(payload(text)),
    };
    for (expected, events, sequence) in [(0, 0, 0), (0, 3, 3), (3, 0, 3), (3, 1, 4)] {
        let text = format!("state after {expected} + {events}");
        assert_eq!(store.append(snapshot(expected, events, &text)).await.unwrap(), sequence);
        let newest = store.snapshot(&cart).await.unwrap();
        assert_eq!(newest, Some(StoredSnapshot { sequence, payload: payload(&text) }));
    }
    assert_eq!(read(&*store, &cart).await.len(), 4, "snapshots remove no event");
}

pub(super) async fn an_append_of_nothing_checks_the_sequence(store: Arc<dyn Store>) {
    let cart = cart("c1");
    assert_eq!(store.append(append(&cart, 0, [])).await.unwrap(), 0);
    store.append(append(&cart, 0, ["a"])).await.unwrap();
    assert_eq!(store.append(append(&cart, 1, [])).await.unwrap(), 1);
    assert!(store.append(append(&cart, 0, [])).await.unwrap_err().is_conflict());
}

pub(super) async fn entities_are_told_apart_by_both_ids(store: Arc<dyn Store>) {
    let ids = ["", "a", "A", "a ", "a|b", "b", "a\0", "a\0b", "ä", "a\u{308}", "%", "'", "1", "01"];
    let key = |kind: &str, id: &str| EntityKey { persistence_id: kind.into(), entity_id: id.into() };
    let keys: Vec<EntityKey> = ids.iter().flat_map(|kind| ids.iter().map(|id| key(kind, id))).collect();
    for entity in &keys {
        assert_eq!(store.append(append(entity, 0, [&entity.to_string()])).await.unwrap(), 1, "{entity}");
    }
    for entity in &keys {
        assert_eq!(read(&*store, entity).await, [event(1, &entity.to_string())]);
    }
}

pub(super) async fn pages_are_bounded_and_complete(store: Arc<dyn Store>) {
    for (name, count, bytes) in [("many", 2_500, 1), ("large", 9, 700_000), ("huge", 1, 5_000_000)] {
        let cart = cart(name);
        let event = Any { type_url: "t".to_owned(), value: vec![7; bytes].into() };
        let all = Append { entity: cart.clone(), expected: 0, events: vec![event; count], snapshot: None };
        store.append(all).await.unwrap();

        let mut last = 0;
        let mut pages = 0;
        loop {
            let page = store.events(&cart, last).await.unwrap();
            let Some(newest) = page.last() else { break };
            assert!(page.iter().map(|event| event.sequence).eq(last + 1..=newest.sequence), "{name}");
            assert!(page.len() <= 1_000 && (page.len() == 1 || page.len() * bytes < 2_000_000), "{name}");
            last = newest.sequence;
            pages += 1;
        }
        assert_eq!(last, count as u64, "{name}");
        assert!(pages > 1 || count == 1, "{name}");
    }
}

pub(super) async fn what_is_too_large_is_refused_before_it_costs_anything(store: Arc<dyn Store>) {
    let long = "x".repeat(MAX_ID_BYTES + 1);
    let longest = "x".repeat(MAX_ID_BYTES);
    let key = |kind: &str, id: &str| EntityKey { persistence_id: kind.into(), entity_id: id.into() };
    for (entity, what) in [(key(&long, "1"), "persistence id"), (key("p", &long), "entity id")] {
        for error in [
            store.append(append(&entity, 0, ["a"])).await.unwrap_err(),
            store.events(&entity, 0).await.unwrap_err(),
            store.snapshot(&entity).await.unwrap_err(),
        ] {
            assert!(error.is_too_large(), "{error}");
            assert!(error.to_string().contains(what) && error.to_string().contains("4096"), "{error}");
        }
    }
    assert_eq!(store.append(append(&key(&longest, &longest), 0, ["a"])).await.unwrap(), 1);

    let cart = cart("c1");
    let of = |event: Any| Append { entity: cart.clone(), expected: 0, events: vec![event], snapshot: None };
    let typed = Any { type_url: "x".repeat(MAX_TYPE_URL_BYTES + 1), value: Bytes::new() };
    let heavy = Any { type_url: "t".to_owned(), value: vec![0; MAX_APPEND_BYTES + 1].into() };
    for (event, what) in [(typed, "type URL"), (heavy, "one command")] {
        let error = store.append(of(event.clone())).await.unwrap_err();
        assert!(error.is_too_large() && error.to_string().contains(what), "{error}");
        let snapshot = Append { entity: cart.clone(), expected: 0, events: vec![], snapshot: Some(event) };
        assert!(store.append(snapshot).await.unwrap_err().is_too_large());
    }
    assert_eq!(read(&*store, &cart).await, []);
}

pub(super) async fn concurrent_appends_all_arrive_and_a_conflict_fails_alone(store: Arc<dyn Store>) {
    let appends = (0..300).map(|n| {
        let expected = if n % 10 == 3 { 1 } else { 0 };
        store.append(append(&cart(&format!("c{n}")), expected, ["a", "b"]))
    });
    let results = join_all(appends).await;
    for (n, result) in results.into_iter().enumerate() {
        let stored = read(&*store, &cart(&format!("c{n}"))).await;
        if n % 10 == 3 {
            assert!(result.unwrap_err().is_conflict());
            assert_eq!(stored, []);
        } else {
            assert_eq!(result.unwrap(), 2);
            assert_eq!(stored, [event(1, "a"), event(2, "b")]);
        }
    }
    let counters = store.counters();
    assert_eq!((counters.appends, counters.events, counters.conflicts), (270, 540, 30));
}

pub(super) async fn of_many_writers_at_one_sequence_one_wins(store: Arc<dyn Store>) {
    let cart = cart("c1");
    for expected in 0..5 {
        let rivals = (0..20).map(|_| store.append(append(&cart, expected, ["a"])));
        let results = join_all(rivals).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(results.iter().flat_map(|result| result.as_ref().err()).all(|error| error.is_conflict()));
    }
    assert_eq!(read(&*store, &cart).await.len(), 5);
}

//! What consumers read: event logs and topics.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use cloudstate_proto::{Any, Metadata};
use cloudstate_proxy::storage::{
    Append, Change, EntityKey, LogEntry, MAX_ID_BYTES, MAX_TRIMMED_MESSAGES, MAX_TYPE_URL_BYTES, Source,
    Store,
};

use crate::{append, message, metadata, payload, read_log};

fn of(kind: &str, id: &str) -> EntityKey {
    EntityKey { persistence_id: kind.into(), entity_id: id.into() }
}

/// Subject, sequence and text of each.
fn summary(entries: &[LogEntry]) -> Vec<(&str, u64, &str)> {
    entries.iter().map(|it| (&*it.subject, it.sequence, str::from_utf8(&it.payload.value).unwrap())).collect()
}

fn is_ascending(entries: &[LogEntry]) -> bool {
    entries.is_sorted_by(|one, next| one.position < next.position)
}

pub(super) async fn events_of_a_persistence_id_come_in_the_order_they_were_stored(store: Arc<dyn Store>) {
    let before = SystemTime::now() - Duration::from_millis(1);
    let (a1, a2, b1) = (of("a", "1"), of("a", "2"), of("b", "1"));
    store.append(append(&a1, 0, ["1", "2"])).await.unwrap();
    store.append(append(&b1, 0, ["3"])).await.unwrap();
    store.append(append(&a2, 0, ["4"])).await.unwrap();
    store.append(append(&a1, 0, ["x"])).await.unwrap_err();
    store.append(append(&a1, 2, ["5"])).await.unwrap();
    store.append(append(&a1, 3, [])).await.unwrap();

    let a = read_log(&*store, &Source::EventLog("a".into()), 0).await;
    assert_eq!(summary(&a), [("1", 1, "1"), ("1", 2, "2"), ("2", 1, "4"), ("1", 3, "5")]);
    assert!(is_ascending(&a) && a[0].position > 0);
    for entry in &a {
        assert!(entry.stored_at >= before && entry.stored_at <= SystemTime::now());
        assert_eq!(entry.metadata, Metadata::default());
        assert_eq!(entry.payload.type_url, payload("").type_url);
    }
    assert_eq!(summary(&read_log(&*store, &Source::EventLog("b".into()), 0).await), [("1", 1, "3")]);
    assert_eq!(read_log(&*store, &Source::EventLog("c".into()), 0).await, []);
    assert_eq!(read_log(&*store, &Source::Topic("a".into()), 0).await, []);
}

/// Long enough, and mixed enough, for every way in which a store may divide its log.
pub(super) async fn a_reader_from_any_position_misses_nothing(store: Arc<dyn Store>) {
    let mut expected: [Vec<(String, u64)>; 3] = Default::default();
    let mut lengths = [0; 3];
    for n in 0..600_usize {
        // One kind is rare, one comes in runs.
        let kind = if n % 97 == 0 { 2 } else { usize::from(n / 150 % 2 == 1) };
        let events = vec![payload(&n.to_string()); n % 4];
        let entity = of(&kind.to_string(), "e");
        let append = Append { entity, expected: lengths[kind], events, snapshot: None };
        for _ in 0..n % 4 {
            lengths[kind] += 1;
            expected[kind].push((n.to_string(), lengths[kind]));
        }
        store.append(append).await.unwrap();
    }
    for (kind, expected) in expected.iter().enumerate() {
        let source = Source::EventLog(kind.to_string().into());
        let all = read_log(&*store, &source, 0).await;
        let found = summary(&all).into_iter().map(|(_, sequence, text)| (text.to_owned(), sequence));
        assert!(found.eq(expected.iter().cloned()), "{source}");
        assert!(is_ascending(&all));
        for (n, entry) in all.iter().enumerate() {
            let page = store.log(&source, entry.position).await.unwrap();
            assert_eq!(page.first(), all.get(n + 1), "after {}", entry.position);
            let page = store.log(&source, entry.position - 1).await.unwrap();
            assert_eq!(page.first(), Some(entry), "from {}", entry.position);
        }
        for after in [u64::MAX, i64::MAX as u64, i64::MAX as u64 - 1] {
            assert_eq!(store.log(&source, after).await.unwrap(), []);
        }
    }
}

/// However many others are between them, and however few come in one page.
pub(super) async fn rare_events_are_found(store: Arc<dyn Store>) {
    let (rare, common) = (of("rare", "1"), of("common", "1"));
    for n in 0..150 {
        store.append(append(&rare, n, [&n.to_string()])).await.unwrap();
        let events = vec![Any::default(); 300];
        store
            .append(Append { entity: common.clone(), expected: n * 300, events, snapshot: None })
            .await
            .unwrap();
    }
    let found = read_log(&*store, &Source::EventLog("rare".into()), 0).await;
    assert!(found.iter().map(|entry| entry.sequence).eq(1..=150));
    for (one, next) in found.iter().zip(&found[1..]) {
        let page = store.log(&Source::EventLog("rare".into()), one.position).await.unwrap();
        assert_eq!(page.first(), Some(next));
    }
}

pub(super) async fn messages_come_back_in_order_and_unchanged(store: Arc<dyn Store>) {
    let before = SystemTime::now() - Duration::from_millis(1);
    let rich = metadata(&[("ce-id", "1"), ("ce-id", "2"), ("", "\0ä")]);
    store
        .write(vec![
            message("t", "s1", "a", rich.clone()),
            message("u", "", "b", Metadata::default()),
            message("t", "", "c", Metadata::default()),
        ])
        .await
        .unwrap();
    store.write(vec![message("t", "s1", "d", Metadata::default())]).await.unwrap();

    let t = read_log(&*store, &Source::Topic("t".into()), 0).await;
    assert_eq!(summary(&t), [("s1", 0, "a"), ("", 0, "c"), ("s1", 0, "d")]);
    assert_eq!(t[0].metadata, rich);
    assert_eq!(t[1].metadata, Metadata::default());
    assert!(is_ascending(&t) && t[0].position > 0);
    assert!(t.iter().all(|it| it.stored_at >= before && it.stored_at <= SystemTime::now()));
    assert_eq!(read_log(&*store, &Source::Topic("t".into()), t[1].position).await, t[2..]);
    assert_eq!(store.log(&Source::Topic("t".into()), u64::MAX).await.unwrap(), []);
    assert_eq!(summary(&read_log(&*store, &Source::Topic("u".into()), 0).await), [("", 0, "b")]);
    assert_eq!(read_log(&*store, &Source::EventLog("t".into()), 0).await, []);
}

pub(super) async fn a_trimmed_topic_keeps_its_positions(store: Arc<dyn Store>) {
    let source = Source::Topic("t".into());
    let trim = |through| Change::TrimTopic { topic: "t".into(), through };
    store.write(vec![trim(9)]).await.unwrap();
    let messages = ["a", "b", "c"].map(|text| message("t", "", text, Metadata::default()));
    store.write(vec![message("u", "", "x", Metadata::default())]).await.unwrap();
    store.write(messages.into()).await.unwrap();
    let all = read_log(&*store, &source, 0).await;

    store.write(vec![trim(0)]).await.unwrap();
    assert_eq!(read_log(&*store, &source, 0).await, all);
    store.write(vec![trim(all[1].position)]).await.unwrap();
    assert_eq!(read_log(&*store, &source, 0).await, all[2..]);
    store.write(vec![trim(u64::MAX)]).await.unwrap();
    assert_eq!(read_log(&*store, &source, 0).await, []);

    store.write(vec![message("t", "", "d", Metadata::default())]).await.unwrap();
    let rest = read_log(&*store, &source, 0).await;
    assert_eq!(summary(&rest), [("", 0, "d")]);
    assert!(rest[0].position > all[2].position, "a position is never given again");
    assert_eq!(read_log(&*store, &Source::Topic("u".into()), 0).await.len(), 1, "other topics stay");
}

pub(super) async fn a_trim_is_bounded(store: Arc<dyn Store>) {
    let count = MAX_TRIMMED_MESSAGES as usize * 2 + 1;
    let messages = (0..count).map(|_| message("t", "", "a", Metadata::default())).collect();
    store.write(messages).await.unwrap();
    let mut lengths = Vec::new();
    for _ in 0..3 {
        store.write(vec![Change::TrimTopic { topic: "t".into(), through: u64::MAX }]).await.unwrap();
        lengths.push(read_log(&*store, &Source::Topic("t".into()), 0).await.len());
    }
    assert_eq!(lengths, [count - MAX_TRIMMED_MESSAGES as usize, 1, 0]);
}

pub(super) async fn pages_are_bounded_and_complete(store: Arc<dyn Store>) {
    for (name, count, bytes) in [("many", 2_500, 1), ("large", 9, 700_000), ("huge", 1, 5_000_000)] {
        let payload = Any { type_url: "t".to_owned(), value: vec![7; bytes].into() };
        let events = vec![payload.clone(); count];
        store.append(Append { entity: of(name, "1"), expected: 0, events, snapshot: None }).await.unwrap();
        let message = Change::Message {
            topic: name.into(),
            subject: "".into(),
            payload,
            metadata: Metadata::default(),
        };
        store.write(vec![message; count]).await.unwrap();

        for source in [Source::EventLog(name.into()), Source::Topic(name.into())] {
            let (mut last, mut found, mut pages) = (0, 0, 0);
            loop {
                let page = store.log(&source, last).await.unwrap();
                let Some(newest) = page.last() else { break };
                assert!(is_ascending(&page) && page[0].position > last, "{source}");
                assert!(
                    page.len() <= 1_000 && (page.len() == 1 || page.len() * bytes < 2_000_000),
                    "{source}"
                );
                last = newest.position;
                found += page.len();
                pages += 1;
            }
            assert_eq!(found, count, "{source}");
            assert!(pages > 1 || count == 1, "{source}");
        }
    }
}

pub(super) async fn growth_is_told_when_it_can_be_read(store: Arc<dyn Store>) {
    let entity = of("a", "1");
    let mut grown = store.grown();
    assert!(!grown.has_changed().unwrap());
    store.append(append(&entity, 0, ["a"])).await.unwrap();
    assert!(grown.has_changed().unwrap());
    grown.mark_unchanged();
    store.write(vec![message("t", "", "a", Metadata::default())]).await.unwrap();
    assert!(grown.has_changed().unwrap());
    grown.mark_unchanged();

    // What adds no event and no message.
    store.append(append(&entity, 0, ["x"])).await.unwrap_err();
    store.append(Append { snapshot: Some(payload("s")), ..append(&entity, 1, []) }).await.unwrap();
    store.write(vec![]).await.unwrap();
    store.write(vec![Change::Value { entity, state: Some(payload("v")) }]).await.unwrap();
    store.write(vec![Change::TrimTopic { topic: "t".into(), through: 9 }]).await.unwrap();
    assert!(!grown.has_changed().unwrap());
}

/// A consumer that reads only when told reads everything, once, in order, while others write.
pub(super) async fn readers_follow_writers(store: Arc<dyn Store>) {
    const WRITERS: usize = 4;
    const EACH: u64 = 100;
    let readers: Vec<_> = [Source::EventLog("a".into()), Source::Topic("t".into())]
        .into_iter()
        .map(|source| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut grown = store.grown();
                let mut found: Vec<LogEntry> = Vec::new();
                while found.len() < WRITERS * EACH as usize {
                    grown.mark_unchanged();
                    let last = found.last().map_or(0, |entry| entry.position);
                    let page = store.log(&source, last).await.unwrap();
                    if page.is_empty() {
                        grown.changed().await.unwrap();
                    }
                    found.extend(page);
                }
                found
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let id = writer.to_string();
                for n in 0..EACH {
                    let text = n.to_string();
                    store.append(append(&of("a", &id), n, [&text])).await.unwrap();
                    store.append(append(&of("b", &id), n, ["other"])).await.unwrap();
                    store.write(vec![message("t", &id, &text, Metadata::default())]).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        let found = tokio::time::timeout(Duration::from_secs(120), reader).await.unwrap().unwrap();
        assert!(is_ascending(&found));
        for writer in 0..WRITERS {
            let id = writer.to_string();
            let texts = found.iter().filter(|it| *it.subject == id).map(|it| it.payload.value.clone());
            assert!(texts.eq((0..EACH).map(|n| n.to_string())), "in the order of each writer");
        }
    }
}

pub(super) async fn what_is_too_large_is_refused(store: Arc<dyn Store>) {
    let long = "x".repeat(MAX_ID_BYTES + 1);
    let typed = Any { type_url: "x".repeat(MAX_TYPE_URL_BYTES + 1), ..Any::default() };
    let of_type = Change::Message {
        topic: "t".into(),
        subject: "".into(),
        payload: typed,
        metadata: Metadata::default(),
    };
    for (change, what) in [
        (message(&long, "", "a", Metadata::default()), "name of the topic"),
        (message("t", &long, "a", Metadata::default()), "subject"),
        (Change::TrimTopic { topic: (&*long).into(), through: 0 }, "name of the topic"),
        (of_type, "type URL"),
        (message("t", "", "a", metadata(&[("k", &"x".repeat(70_000_000))])), "one write"),
    ] {
        let error = store.write(vec![change]).await.unwrap_err();
        assert!(error.is_too_large() && error.to_string().contains(what), "{error}");
    }
    for source in [Source::EventLog((&*long).into()), Source::Topic((&*long).into())] {
        assert!(store.log(&source, 0).await.unwrap_err().is_too_large());
    }
    assert_eq!(store.log(&Source::Topic("t".into()), 0).await.unwrap(), []);
}

//! How far consumers have come, and what they have given up.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use cloudstate_proto::{Any, Metadata};
use cloudstate_proxy::storage::{
    Change, Consumer, DeadLetter, LogEntry, MAX_ERROR_BYTES, MAX_ID_BYTES, MAX_POSITION, MAX_TYPE_URL_BYTES,
    Source, Store, StoredDeadLetter,
};

use crate::{message, metadata, payload, read_log};

fn consumer(group: &str, source: Source) -> Consumer {
    Consumer { group: group.into(), source }
}

fn offset(consumer: &Consumer, position: u64) -> Change {
    Change::Offset { consumer: consumer.clone(), position }
}

fn letter(text: &str) -> DeadLetter {
    DeadLetter {
        consumer: consumer("g", Source::EventLog("a".into())),
        entry: LogEntry {
            position: 7,
            subject: "u1".into(),
            sequence: 3,
            stored_at: UNIX_EPOCH + Duration::from_millis(1_600_000_000_123),
            payload: payload(text),
            metadata: metadata(&[("k", "v")]),
        },
        attempts: 5,
        error: "it went wrong".to_owned(),
    }
}

async fn all_dead_letters(store: &dyn Store) -> Vec<StoredDeadLetter> {
    let mut letters: Vec<StoredDeadLetter> = Vec::new();
    loop {
        let last = letters.last().map_or(0, |stored| stored.id);
        let page = store.dead_letters(last).await.unwrap();
        if page.is_empty() {
            return letters;
        }
        letters.extend(page);
    }
}

pub(super) async fn each_consumer_has_an_offset(store: Arc<dyn Store>) {
    let names = ["", "a", "b", "a\0", "ä"];
    let consumers: Vec<Consumer> = names
        .iter()
        .flat_map(|group| {
            let sources = names
                .iter()
                .flat_map(|name| [Source::EventLog((*name).into()), Source::Topic((*name).into())]);
            sources.map(|source| consumer(group, source))
        })
        .collect();
    for (position, consumer) in (0..).zip(&consumers) {
        assert_eq!(store.offset(consumer).await.unwrap(), None, "{consumer}");
        store.write(vec![offset(consumer, position)]).await.unwrap();
    }
    for (position, consumer) in (0..).zip(&consumers) {
        assert_eq!(store.offset(consumer).await.unwrap(), Some(position), "{consumer}");
    }
    for position in [5, 9, 2, 0, MAX_POSITION] {
        store.write(vec![offset(&consumers[0], position)]).await.unwrap();
        assert_eq!(store.offset(&consumers[0]).await.unwrap(), Some(position));
    }
    assert_eq!(store.offset(&consumers[1]).await.unwrap(), Some(1));
}

/// What makes a consumer exactly-once inside the store: its outcome and its offset are one write.
pub(super) async fn what_a_consumer_wrote_and_its_offset_go_together(store: Arc<dyn Store>) {
    let reader = consumer("g", Source::EventLog("a".into()));
    let out = |text| message("out", "", text, Metadata::default());
    store.write(vec![out("1"), offset(&reader, 1)]).await.unwrap();
    let refused = vec![out("2"), offset(&reader, 2), offset(&reader, MAX_POSITION + 1)];
    assert!(store.write(refused).await.unwrap_err().is_too_large());
    assert_eq!(store.offset(&reader).await.unwrap(), Some(1));
    assert_eq!(read_log(&*store, &Source::Topic("out".into()), 0).await.len(), 1);
}

pub(super) async fn dead_letters_come_back_unchanged_until_they_are_forgotten(store: Arc<dyn Store>) {
    let before = SystemTime::now() - Duration::from_millis(1);
    let strange = DeadLetter {
        consumer: consumer("ä\0", Source::Topic("".into())),
        entry: LogEntry {
            position: MAX_POSITION,
            subject: "".into(),
            sequence: 0,
            stored_at: UNIX_EPOCH,
            payload: Any { type_url: String::new(), value: Bytes::from_static(b"\0\xff") },
            metadata: Metadata::default(),
        },
        attempts: u32::MAX,
        error: String::new(),
    };
    let letters = [letter("a"), strange, letter("a"), letter("b")];
    store.write(letters.iter().cloned().map(Change::DeadLetter).collect()).await.unwrap();

    assert_eq!(store.dead_letter_count().await.unwrap(), 4);
    let stored = all_dead_letters(&*store).await;
    assert!(stored.iter().map(|it| &it.letter).eq(&letters));
    assert!(stored[0].id > 0 && stored.is_sorted_by(|one, next| one.id < next.id));
    assert!(stored.iter().all(|it| it.stored_at >= before && it.stored_at <= SystemTime::now()));
    assert_eq!(store.offset(&letters[0].consumer).await.unwrap(), None, "a dead letter is no offset");
    assert_eq!(store.dead_letters(u64::MAX).await.unwrap(), []);

    for _ in 0..2 {
        store.write(vec![Change::ForgetDeadLetter { id: stored[1].id }]).await.unwrap();
    }
    store.write(vec![Change::ForgetDeadLetter { id: u64::MAX }]).await.unwrap();
    assert_eq!(all_dead_letters(&*store).await, [stored[0].clone(), stored[2].clone(), stored[3].clone()]);
    assert_eq!(store.dead_letters(stored[0].id).await.unwrap(), stored[2..]);
    assert_eq!(store.dead_letter_count().await.unwrap(), 3);

    let newest = stored[3].id;
    store.write(vec![Change::ForgetDeadLetter { id: newest }]).await.unwrap();
    store.write(vec![Change::DeadLetter(letter("c"))]).await.unwrap();
    let last = all_dead_letters(&*store).await.pop().unwrap();
    assert!(last.id > newest, "an id is never given again");
}

pub(super) async fn pages_of_dead_letters_are_bounded_and_complete(store: Arc<dyn Store>) {
    for (count, bytes) in [(2_500, 1), (9, 700_000)] {
        let text = "x".repeat(bytes);
        store.write(vec![Change::DeadLetter(letter(&text)); count]).await.unwrap();
        let (mut last, mut found, mut pages) = (0, 0, 0);
        loop {
            let page = store.dead_letters(last).await.unwrap();
            let Some(newest) = page.last() else { break };
            assert!(page.len() <= 1_000 && (page.len() == 1 || page.len() * bytes < 2_000_000));
            last = newest.id;
            found += page.len();
            pages += 1;
        }
        assert_eq!(found, count);
        assert!(pages > 1);
        let forgotten = all_dead_letters(&*store).await;
        let forget = forgotten.iter().map(|it| Change::ForgetDeadLetter { id: it.id });
        store.write(forget.collect()).await.unwrap();
    }
}

pub(super) async fn a_long_error_is_cut_between_characters(store: Arc<dyn Store>) {
    let error = format!("x{}", "ä".repeat(MAX_ERROR_BYTES));
    store.write(vec![Change::DeadLetter(DeadLetter { error: error.clone(), ..letter("a") })]).await.unwrap();
    let kept = all_dead_letters(&*store).await.remove(0).letter.error;
    assert!(error.starts_with(&kept) && kept.len() == MAX_ERROR_BYTES - 1, "{}", kept.len());
}

pub(super) async fn what_is_too_large_is_refused(store: Arc<dyn Store>) {
    let long = "x".repeat(MAX_ID_BYTES + 1);
    let source = || Source::EventLog("a".into());
    let of = |consumer| Change::DeadLetter(DeadLetter { consumer, ..letter("a") });
    let with = |entry| Change::DeadLetter(DeadLetter { entry, ..letter("a") });
    let entry = || letter("a").entry;
    let typed = Any { type_url: "x".repeat(MAX_TYPE_URL_BYTES + 1), ..Any::default() };
    for (change, what) in [
        (offset(&consumer(&long, source()), 1), "consumer group"),
        (offset(&consumer("g", Source::Topic((&*long).into())), 1), "name of the topic"),
        (offset(&consumer("g", source()), MAX_POSITION + 1), "no position"),
        (of(consumer(&long, source())), "consumer group"),
        (of(consumer("g", Source::EventLog((&*long).into()))), "persistence id"),
        (with(LogEntry { subject: (&*long).into(), ..entry() }), "subject"),
        (with(LogEntry { payload: typed, ..entry() }), "type URL"),
        (with(LogEntry { position: u64::MAX, ..entry() }), "no position"),
        (with(LogEntry { sequence: u64::MAX, ..entry() }), "no position"),
    ] {
        let error = store.write(vec![change]).await.unwrap_err();
        assert!(error.is_too_large() && error.to_string().contains(what), "{error}");
    }
    assert!(store.offset(&consumer(&long, source())).await.unwrap_err().is_too_large());
    assert_eq!(store.dead_letters(0).await.unwrap(), []);
}

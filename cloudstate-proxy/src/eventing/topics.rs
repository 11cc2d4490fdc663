//! Topics: where replies are published and messages come from.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use cloudstate_proto::{Any, Metadata};

use super::feed::{Feed, StoreFeed};
use crate::storage::{BoxFuture, Change, Consumer, Source, Store, StoreError};

/// A broker: it keeps messages until the consumers of their topic have taken them. The built-in one is
/// [`StoreTopics`].
pub trait Topics: Send + Sync + 'static {
    /// Adds a message to its topic, which is made if it is not there; resolves when the message is durable.
    ///
    /// # Errors
    ///
    /// The broker did not take it.
    fn publish(&self, message: Message) -> BoxFuture<Result<(), TopicError>>;

    /// What `consumer`, whose source is a topic, has not taken yet.
    fn feed(&self, consumer: &Consumer) -> Box<dyn Feed>;
}

/// What is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The name of the topic.
    pub topic: Arc<str>,
    /// What it is about; messages about the same thing are consumed one after the other. May be empty.
    pub subject: Arc<str>,
    /// What it says.
    pub payload: Any,
    /// What goes with it, as a CloudEvent has it.
    pub metadata: Metadata,
}

/// Why a message was not published.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the reply could not be published to topic {topic:?}: {source}")]
pub struct TopicError {
    topic: Arc<str>,
    source: StoreError,
}

/// A topic is looked through for old messages this often at most, and only while it grows.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);

/// Topics in the store, beside everything else that is durable.
pub struct StoreTopics {
    store: Arc<dyn Store>,
    retention: Duration,
    /// When each topic was last looked through.
    trimmed: Mutex<HashMap<Arc<str>, Instant>>,
}

impl StoreTopics {
    /// Topics in `store`. A message is removed some time after it has become as old as `retention`, whether it was
    /// consumed or not.
    pub fn new(store: Arc<dyn Store>, retention: Duration) -> Self {
        Self { store, retention, trimmed: Mutex::default() }
    }

    /// Removes what is old, in the background, if it is time to look.
    fn trim(&self, topic: &Arc<str>) {
        let now = Instant::now();
        {
            let mut trimmed = self.trimmed.lock().unwrap_or_else(PoisonError::into_inner);
            if trimmed.get(topic).is_some_and(|last| now - *last < TRIM_INTERVAL) {
                return;
            }
            trimmed.insert(Arc::clone(topic), now);
        }
        let Some(oldest) = SystemTime::now().checked_sub(self.retention) else { return };
        let (store, topic) = (Arc::clone(&self.store), Arc::clone(topic));
        tokio::spawn(async move {
            if let Err(error) = remove_before(&*store, &topic, oldest).await {
                tracing::warn!("old messages of topic {topic:?} were not removed: {error}");
            }
        });
    }
}

/// Removes the messages of `topic` that were stored before `oldest`.
async fn remove_before(store: &dyn Store, topic: &Arc<str>, oldest: SystemTime) -> Result<(), StoreError> {
    loop {
        let page = store.log(&Source::Topic(Arc::clone(topic)), 0).await?;
        let old = page.iter().take_while(|entry| entry.stored_at < oldest).count();
        let Some(last) = old.checked_sub(1).and_then(|last| page.get(last)) else { return Ok(()) };
        store.write(vec![Change::TrimTopic { topic: Arc::clone(topic), through: last.position }]).await?;
    }
}

impl Topics for StoreTopics {
    fn publish(&self, message: Message) -> BoxFuture<Result<(), TopicError>> {
        let Message { topic, subject, payload, metadata } = message;
        let change = Change::Message { topic: Arc::clone(&topic), subject, payload, metadata };
        let written = self.store.write(vec![change]);
        self.trim(&topic);
        Box::pin(async move { written.await.map_err(|source| TopicError { topic, source }) })
    }

    fn feed(&self, consumer: &Consumer) -> Box<dyn Feed> {
        Box::new(StoreFeed::new(&self.store, consumer.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{StoreUrl, open};

    #[tokio::test]
    async fn what_is_old_is_removed_and_what_is_younger_stays() {
        let store = open(&StoreUrl::Memory).await.unwrap();
        let publish = |text: &'static str| Change::Message {
            topic: "news".into(),
            subject: text.into(),
            payload: Any::default(),
            metadata: Metadata::default(),
        };
        store.write(vec![publish("old"), publish("older")]).await.unwrap();
        let kept = async || {
            let page = store.log(&Source::Topic("news".into()), 0).await.unwrap();
            page.iter().map(|entry| entry.subject.to_string()).collect::<Vec<_>>()
        };
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        remove_before(&*store, &"news".into(), long_ago).await.unwrap();
        assert_eq!(kept().await, ["old", "older"]);
        remove_before(&*store, &"news".into(), SystemTime::now() + Duration::from_secs(60)).await.unwrap();
        assert_eq!(kept().await, Vec::<String>::new());
        store.write(vec![publish("new")]).await.unwrap();
        remove_before(&*store, &"news".into(), long_ago).await.unwrap();
        assert_eq!(kept().await, ["new"]);
    }
}

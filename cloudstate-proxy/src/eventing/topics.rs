//! Topics: where replies are published and messages come from.

use std::sync::Arc;

use cloudstate_proto::{Any, Metadata};

use super::feed::{Feed, StoreFeed};
use crate::storage::{BoxFuture, Change, Consumer, Store, StoreError};

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

/// Topics in the store, beside everything else that is durable.
pub struct StoreTopics {
    store: Arc<dyn Store>,
}

impl StoreTopics {
    /// Topics in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

impl Topics for StoreTopics {
    fn publish(&self, message: Message) -> BoxFuture<Result<(), TopicError>> {
        let Message { topic, subject, payload, metadata } = message;
        let change = Change::Message { topic: Arc::clone(&topic), subject, payload, metadata };
        let written = self.store.write(vec![change]);
        Box::pin(async move { written.await.map_err(|source| TopicError { topic, source }) })
    }

    fn feed(&self, consumer: &Consumer) -> Box<dyn Feed> {
        Box::new(StoreFeed::new(&self.store, consumer.clone()))
    }
}

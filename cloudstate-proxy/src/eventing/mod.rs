//! Events and messages that call actions: sources, consumers, topics, dead letters.
//!
//! ```text
//! journal, topics ──▶ feed ──▶ consumer ──▶ routing ──▶ action
//!                       ▲         │ given up ──▶ dead letters ──▶ replay
//!                       └─ offset ┘
//! ```
//!
//! A subscription is what one service consumes of one source. Its consumer takes entries from a [`Feed`] in order, calls
//! the action with each, at least once and one after the other for each subject, and stores how far it has come. What
//! cannot be processed becomes a dead letter after
//! [`Settings::delivery_attempts`](crate::Settings::delivery_attempts), so that it does not block what comes after it.

mod cloud_event;
mod consumer;
mod dead_letters;
mod feed;
mod publisher;
mod redelivery;
mod subscription;
mod topics;

use std::sync::Arc;

use tokio::{sync::watch, task::JoinSet};

pub(crate) use dead_letters::{DeadLetters, ReplayError};
pub use feed::{Feed, FeedFuture};
pub(crate) use publisher::Publisher;
pub(crate) use redelivery::Redelivery;
pub use topics::{Message, StoreTopics, TopicError, Topics};

use crate::{entities, routing::Router, service_catalog::ServiceCatalog, storage::Source};
use consumer::Consumer;
use feed::StoreFeed;
use subscription::Subscription;

/// The consumers of one contract; they stop when this is dropped.
pub(crate) struct Eventing {
    catalog: Arc<ServiceCatalog>,
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
    dead_letters: Arc<DeadLetters>,
}

/// What consumers work with.
#[derive(Clone)]
pub(crate) struct Environment {
    /// What entities work with, too.
    pub(crate) proxy: Arc<entities::Environment>,
    pub(crate) topics: Arc<dyn Topics>,
    pub(crate) redelivery: Redelivery,
}

impl Eventing {
    /// Starts a consumer for each subscription of `catalog`.
    pub(crate) fn start(environment: &Environment, catalog: &Arc<ServiceCatalog>, router: &Router) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        let mut consumers = Vec::new();
        for subscription in subscription::subscriptions(catalog.methods()) {
            let feed = environment.feed(&subscription);
            let target = Arc::new(router.clone());
            let consumer = Arc::new(Consumer::new(subscription, environment.clone(), target));
            running.spawn(Arc::clone(&consumer).run(feed, stopped.clone()));
            consumers.push(consumer);
        }
        let proxy = &environment.proxy;
        let kept = proxy.metrics.kept_dead_letters().clone();
        let dead_letters = Arc::new(DeadLetters { store: Arc::clone(&proxy.store), consumers, kept });
        Self { catalog: Arc::clone(catalog), stop, running, dead_letters }
    }

    /// Whether these are the consumers of `catalog`.
    pub(crate) fn are_of(&self, catalog: &Arc<ServiceCatalog>) -> bool {
        Arc::ptr_eq(&self.catalog, catalog)
    }

    /// What the consumers have given up.
    pub(crate) fn dead_letters(&self) -> &Arc<DeadLetters> {
        &self.dead_letters
    }

    /// Lets every consumer finish what it is doing.
    pub(crate) async fn shutdown(mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

impl Environment {
    fn feed(&self, subscription: &Subscription) -> Box<dyn Feed> {
        let consumer = &subscription.consumer;
        match &consumer.source {
            Source::EventLog(_) => Box::new(StoreFeed::new(&self.proxy.store, consumer.clone())),
            Source::Topic(_) => self.topics.feed(consumer),
        }
    }
}

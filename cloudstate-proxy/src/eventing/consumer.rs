//! Delivers entries, again if need be.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloudstate_proto::{Any, Metadata};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;

use super::{Environment, Redelivery, Subscription, cloud_event, feed::Feed};
use crate::{
    code::Code,
    error_code::ErrorCode,
    routing::{Failure, Replies, Router},
    service_catalog::Method,
    storage::{DeadLetter, LogEntry},
    telemetry::metrics::ConsumerMetrics,
};

/// Subjects whose entries are delivered side by side.
const LANES: usize = 8;

/// Who is called.
pub(super) trait Target: Send + Sync + 'static {
    /// Calls an action with exactly this payload; the replies end after the first `Err`.
    fn consume(&self, method: Arc<Method>, payload: Any, metadata: Metadata) -> Replies;
}

impl Target for Router {
    fn consume(&self, method: Arc<Method>, payload: Any, metadata: Metadata) -> Replies {
        Router::consume(self, method, payload, metadata)
    }
}

/// Takes one source to one service.
pub(super) struct Consumer {
    pub(super) subscription: Subscription,
    environment: Environment,
    target: Arc<dyn Target>,
    /// Somebody was told that entries are skipped.
    told_of_skipped: AtomicBool,
    metrics: ConsumerMetrics,
}

impl Consumer {
    pub(super) fn new(subscription: Subscription, environment: Environment, target: Arc<dyn Target>) -> Self {
        let metrics = environment.proxy.metrics.consumer(&subscription.consumer);
        Self { subscription, environment, target, told_of_skipped: AtomicBool::new(false), metrics }
    }

    /// Works until told to stop, which waits for no more than the deliveries under way.
    pub(super) async fn run(self: Arc<Self>, mut feed: Box<dyn Feed>, mut stop: watch::Receiver<bool>) {
        let mut pauses = self.environment.redelivery.pauses();
        while !*stop.borrow() {
            let entries = tokio::select! {
                entries = feed.next() => entries,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match entries {
                Ok(entries) => {
                    pauses = self.environment.redelivery.pauses();
                    if self.process(&mut *feed, entries, &mut stop).await.is_err() {
                        return;
                    }
                }
                Err(error) if error.is_closed() => return,
                Err(error) => {
                    tracing::warn!("consumer {} cannot read: {error}", self.subscription.consumer);
                    if wait(pauses.next(), &mut stop).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Delivers a batch and remembers that.
    async fn process(
        &self,
        feed: &mut dyn Feed,
        entries: Vec<LogEntry>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Stopped> {
        let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(()) };
        let lanes = by_subject(entries).into_iter().map(|lane| self.deliver_in_order(lane, stop.clone()));
        // One that is told to stop does not break off the others.
        let given_up: Vec<Result<Vec<DeadLetter>, Stopped>> =
            stream::iter(lanes).buffer_unordered(LANES).collect().await;
        let given_up = given_up.into_iter().collect::<Result<Vec<_>, Stopped>>()?.concat();
        // What is delivered must not be delivered again only because the store cannot be written for a while.
        let mut pauses = self.environment.redelivery.pauses();
        while let Err(error) = feed.done(last, given_up.clone()).await {
            tracing::warn!("consumer {} cannot store its offset: {error}", self.subscription.consumer);
            wait(pauses.next(), stop).await?;
        }
        self.metrics.finished(last, given_up.len());
        Ok(())
    }

    async fn deliver_in_order(
        &self,
        lane: Vec<LogEntry>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Vec<DeadLetter>, Stopped> {
        let mut given_up = Vec::new();
        for entry in lane {
            given_up.extend(self.deliver(entry, &mut stop).await?);
        }
        Ok(given_up)
    }

    /// Tries until the entry is processed, or given up.
    async fn deliver(
        &self,
        entry: LogEntry,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<DeadLetter>, Stopped> {
        let Some(method) = self.subscription.method_for(&entry.payload) else {
            self.skip(&entry);
            return Ok(None);
        };
        let mut attempts = 0;
        let mut pauses = self.environment.redelivery.pauses();
        let mut absences = Redelivery::absences();
        loop {
            let failure = match self.attempt(method, &entry).await {
                Ok(()) => {
                    self.metrics.delivered();
                    return Ok(None);
                }
                Err(failure) => failure,
            };
            self.metrics.failed();
            // UNAVAILABLE says that nobody could look at the entry now, which is not the entry's fault.
            let pause = if failure.code == Some(Code::Unavailable) {
                absences.next()
            } else {
                attempts += 1;
                pauses.next()
            };
            if attempts >= self.environment.redelivery.attempts {
                return Ok(Some(self.give_up(entry, attempts, failure.description)));
            }
            let (consumer, position) = (&self.subscription.consumer, entry.position);
            tracing::warn!("consumer {consumer} failed at entry {position}, which is tried again: {failure}");
            wait(pause, stop).await?;
        }
    }

    fn give_up(&self, entry: LogEntry, attempts: u32, error: String) -> DeadLetter {
        let consumer = self.subscription.consumer.clone();
        let position = entry.position;
        tracing::error!("consumer {consumer} gives up entry {position} after {attempts} attempts: {error}");
        self.metrics.given_up();
        DeadLetter { consumer, entry, attempts, error }
    }

    /// Calls the action once.
    pub(super) async fn attempt(&self, method: &Arc<Method>, entry: &LogEntry) -> Result<(), Failure> {
        let metadata = cloud_event::of_entry(&self.subscription.consumer.source, entry);
        let mut replies = self.target.consume(Arc::clone(method), entry.payload.clone(), metadata);
        let finished = tokio::time::timeout(self.environment.proxy.relay_timeout, async {
            while let Some(reply) = replies.next().await {
                reply?;
            }
            Ok(())
        });
        finished.await.unwrap_or_else(|_| {
            let text =
                format!("not finished within {} s", self.environment.proxy.relay_timeout.as_secs_f32());
            Err(Failure::new(ErrorCode::ConsumerOverdue, text))
        })
    }

    /// The reference proxy would try such an entry for ever.
    fn skip(&self, entry: &LogEntry) {
        self.metrics.skipped();
        let (consumer, type_url) = (&self.subscription.consumer, &entry.payload.type_url);
        if self.told_of_skipped.swap(true, Ordering::Relaxed) {
            tracing::debug!("consumer {consumer} skips entry {}: no method takes {type_url}", entry.position);
        } else {
            tracing::warn!(
                "consumer {consumer} skips entries that no method takes, the first is a {type_url}"
            );
        }
    }
}

/// The consumer was told to stop before it was done.
struct Stopped;

async fn wait(pause: Duration, stop: &mut watch::Receiver<bool>) -> Result<(), Stopped> {
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        _ = stop.wait_for(|stop| *stop) => Err(Stopped),
    }
}

/// Entries about the same subject stay in their order; those without one too.
fn by_subject(entries: Vec<LogEntry>) -> Vec<Vec<LogEntry>> {
    let mut lanes: Vec<Vec<LogEntry>> = Vec::new();
    for entry in entries {
        match lanes.iter_mut().find(|lane| lane.first().is_some_and(|first| first.subject == entry.subject)) {
            Some(lane) => lane.push(entry),
            None => lanes.push(vec![entry]),
        }
    }
    lanes
}

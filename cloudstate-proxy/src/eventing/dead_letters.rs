//! What consumers have given up: to be looked at, tried again, or forgotten.

use std::sync::Arc;

use super::consumer::Consumer;
use crate::{
    routing::Failure,
    storage::{Change, Store, StoreError, StoredDeadLetter},
    telemetry::metrics::KeptDeadLetters,
};

/// The dead letters of the store, and the consumers of the contract that is served.
pub(crate) struct DeadLetters {
    pub(super) store: Arc<dyn Store>,
    pub(super) consumers: Vec<Arc<Consumer>>,
    pub(super) kept: KeptDeadLetters,
}

/// Why a dead letter was not replayed; it is still there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error("there is no dead letter {0}")]
    Unknown(u64),
    #[error("the contract that is served has no consumer {0} with a method for it")]
    NoConsumer(String),
    #[error("it failed again: {0}")]
    Failed(Failure),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DeadLetters {
    /// A page of those whose ids follow `after`, ascending; empty at the end.
    pub(crate) async fn list(&self, after: u64) -> Result<Vec<StoredDeadLetter>, StoreError> {
        self.store.dead_letters(after).await
    }

    /// Calls the action once more; on success the letter is forgotten.
    pub(crate) async fn replay(&self, id: u64) -> Result<(), ReplayError> {
        let letter = self.find(id).await?.letter;
        let consumers = self.consumers.iter().filter(|it| it.subscription.consumer == letter.consumer);
        let found =
            consumers.filter_map(|it| Some((it, it.subscription.method_for(&letter.entry.payload)?))).next();
        let Some((consumer, method)) = found else {
            return Err(ReplayError::NoConsumer(letter.consumer.to_string()));
        };
        consumer.attempt(method, &letter.entry).await.map_err(ReplayError::Failed)?;
        self.forget_known(id).await
    }

    /// Removes the letter without another try.
    pub(crate) async fn forget(&self, id: u64) -> Result<(), ReplayError> {
        self.find(id).await?;
        self.forget_known(id).await
    }

    async fn find(&self, id: u64) -> Result<StoredDeadLetter, ReplayError> {
        let before = id.checked_sub(1).ok_or(ReplayError::Unknown(id))?;
        let page = self.store.dead_letters(before).await?;
        page.into_iter().next().filter(|letter| letter.id == id).ok_or(ReplayError::Unknown(id))
    }

    async fn forget_known(&self, id: u64) -> Result<(), ReplayError> {
        self.store.write(vec![Change::ForgetDeadLetter { id }]).await?;
        self.kept.forgotten();
        Ok(())
    }
}

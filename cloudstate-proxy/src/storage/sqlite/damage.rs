//! Remembers that the file was found damaged. Whoever reads what is whole goes on, but the store is not ready any more:
//! only a person with a backup can help.

use std::{error::Error, sync::OnceLock};

use tracing::error;

use crate::storage::StoreError;

#[derive(Default)]
pub(super) struct Damage(OnceLock<StoreError>);

impl Damage {
    /// Takes note of what went wrong, if that is damage and the first that is found.
    pub(super) fn note(&self, failure: &StoreError) {
        if failure.is_corrupt() && self.0.set(failure.clone()).is_ok() {
            error!(error = failure as &dyn Error, "the store is damaged");
        }
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.0.get().map_or(Ok(()), |damage| Err(damage.clone()))
    }
}

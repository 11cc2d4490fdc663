//! Whether anything could be stored now.

use rusqlite::TransactionBehavior;

use super::{Committer, queue::Answer};
use crate::storage::StoreError;

impl Committer {
    pub(super) fn check(&mut self, checks: Vec<Answer<()>>) {
        if checks.is_empty() {
            return;
        }
        let checked = self.try_to_write();
        for answer in checks {
            let _ = answer.send(checked.clone());
        }
    }

    /// Takes the write lock; after a failure also writes a page and flushes it, for only that shows whether the disk
    /// works again.
    fn try_to_write(&mut self) -> Result<(), StoreError> {
        self.damage.check()?;
        self.place.check()?;
        self.place.check_room()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if self.failing {
            let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            transaction.pragma_update(None, "user_version", version)?;
        }
        Ok(transaction.commit()?)
    }
}

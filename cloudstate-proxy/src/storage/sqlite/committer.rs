//! Writing: one thread, one connection. It takes everything that waits and makes it durable with one commit, so the
//! price of a disk flush is shared by all who wait for it.

mod check;
mod counts;
mod queue;
#[cfg(test)]
mod tests;

use std::{error::Error, mem, sync::Arc, time::SystemTime};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, watch};
use tracing::{error, info};

pub(super) use self::queue::CommitQueue;
use self::{
    counts::Counts,
    queue::{Pending, QUEUED_WORK, Request, Stored, Work},
};
use super::{column::to_time_column, damage::Damage, known::Known, place::Place, writing::Writing};
use crate::storage::StoreError;

pub(super) struct Committer {
    connection: Connection,
    place: Place,
    requests: mpsc::Receiver<Request>,
    known: Known,
    /// The last attempt to store something failed.
    failing: bool,
    damage: Arc<Damage>,
    growth: watch::Sender<u64>,
    counts: Arc<Counts>,
}

impl Committer {
    /// Tells `growth` after each commit that added events or messages.
    pub(super) fn new(
        connection: Connection,
        place: Place,
        growth: watch::Sender<u64>,
        damage: Arc<Damage>,
    ) -> (Arc<CommitQueue>, Self) {
        let counts = Arc::new(Counts::default());
        let (queue, requests) = CommitQueue::new(Arc::clone(&counts));
        let known = Known::nothing();
        (queue, Self { connection, place, requests, known, failing: false, damage, growth, counts })
    }

    /// Works until the store is closed or dropped.
    pub(super) fn run(mut self) -> Connection {
        let mut taken = Vec::new();
        while self.requests.blocking_recv_many(&mut taken, QUEUED_WORK) > 0 {
            let mut batch = Vec::with_capacity(taken.len());
            let mut checks = Vec::new();
            for request in taken.drain(..) {
                match request {
                    Request::Store(pending) => batch.push(pending),
                    Request::Check(answer) => checks.push(answer),
                    Request::Close => self.requests.close(),
                }
            }
            self.commit(batch);
            self.check(checks);
        }
        self.connection
    }

    fn commit(&mut self, batch: Vec<Pending>) {
        if batch.is_empty() {
            return;
        }
        match self.store(&batch) {
            Ok((stored, grew)) => {
                self.note_success(&batch, &stored);
                if grew {
                    self.growth.send_modify(|number| *number += 1);
                }
                for (pending, stored) in batch.into_iter().zip(stored) {
                    let _ = pending.answer.send(stored);
                }
            }
            Err(error) => {
                self.note_failure(&error);
                for pending in batch {
                    let _ = pending.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction. The outer error fails the batch, an inner one its append. With them, whether events or messages
    /// were added.
    fn store(&mut self, batch: &[Pending]) -> Result<(Vec<Result<Stored, StoreError>>, bool), StoreError> {
        self.place.check()?;
        // Dropped without a commit it rolls back.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.known.forget_if_outdated(&transaction)?;
        let now = to_time_column(SystemTime::now());
        let mut writing = Writing { transaction: &transaction, known: &mut self.known, now, grew: false };
        let stored = batch
            .iter()
            .map(|pending| match &pending.work {
                Work::Append(append) => writing.append(append),
                Work::Write(changes) => writing.write(changes).map(|()| Ok(0)),
            })
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let grew = writing.grew;
        transaction.commit()?;
        Ok((stored, grew))
    }

    fn note_success(&mut self, batch: &[Pending], stored: &[Result<Stored, StoreError>]) {
        self.counts.committed(batch, stored);
        // Refusing an append needs no disk, so it proves nothing.
        if self.failing && stored.iter().any(Result::is_ok) {
            self.failing = false;
            info!("the store can be written again");
        }
    }

    fn note_failure(&mut self, error: &StoreError) {
        // It may hold what was not committed.
        self.known = Known::nothing();
        self.damage.note(error);
        self.counts.failed();
        if !mem::replace(&mut self.failing, true) {
            error!(error = error as &dyn Error, "the store cannot be written");
        }
    }
}

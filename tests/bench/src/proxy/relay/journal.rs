//! Events in SQLite: one thread, one commit for all that wait, the settings of the proxy's store.

use std::{path::Path, thread};

use cloudstate_proto::Any;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot};

use crate::Error;

/// As many appends may share a commit.
const QUEUED: usize = 1_024;

#[derive(Clone)]
pub(super) struct Journal {
    appends: mpsc::Sender<Append>,
}

struct Append {
    entity: i64,
    first_sequence: i64,
    events: Vec<Any>,
    stored: oneshot::Sender<()>,
}

impl Journal {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA page_size = 4096;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA cache_size = -65536;
             PRAGMA wal_autocheckpoint = 40000;
             CREATE TABLE event (
                 position INTEGER PRIMARY KEY,
                 entity INTEGER NOT NULL,
                 sequence INTEGER NOT NULL,
                 type_url TEXT NOT NULL,
                 payload BLOB NOT NULL,
                 UNIQUE (entity, sequence)
             ) STRICT;",
        )?;
        let (appends, queue) = mpsc::channel(QUEUED);
        thread::spawn(move || {
            if let Err(error) = commit(connection, queue) {
                eprintln!("relay: {error}");
            }
        });
        Ok(Self { appends })
    }

    /// Resolves when the events are on disk.
    pub(super) async fn append(
        &self,
        entity: i64,
        first_sequence: i64,
        events: Vec<Any>,
    ) -> Result<(), Error> {
        let (stored, answer) = oneshot::channel();
        self.appends.send(Append { entity, first_sequence, events, stored }).await?;
        Ok(answer.await?)
    }
}

fn commit(mut connection: Connection, mut queue: mpsc::Receiver<Append>) -> rusqlite::Result<()> {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, QUEUED) > 0 {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for append in &batch {
            for (sequence, event) in (append.first_sequence..).zip(&append.events) {
                transaction
                    .prepare_cached(
                        "INSERT INTO event (entity, sequence, type_url, payload) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![append.entity, sequence, event.type_url, &*event.value])?;
            }
        }
        transaction.commit()?;
        for append in batch.drain(..) {
            let _ = append.stored.send(());
        }
    }
    Ok(())
}

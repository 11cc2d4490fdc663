//! Reading: a few threads, each with a connection that cannot write, and one bounded queue before them.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use cloudstate_proto::Any;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::{mpsc, oneshot};

use super::{from_column, to_column};
use crate::storage::{EntityKey, StoreError, StoredEvent, StoredSnapshot, limits::Page};

/// Whoever wants to read beyond these waits.
const QUEUED_READS: usize = 256;

const EVENTS: &str = "
    SELECT sequence, type_url, payload
    FROM event
    JOIN payload_type ON payload_type.id = event.payload_type
    WHERE entity = (SELECT id FROM entity WHERE persistence_id = ?1 AND entity_id = ?2) AND sequence > ?3
    ORDER BY sequence";

const SNAPSHOT: &str = "
    SELECT sequence, type_url, payload
    FROM snapshot
    JOIN payload_type ON payload_type.id = snapshot.payload_type
    WHERE entity = (SELECT id FROM entity WHERE persistence_id = ?1 AND entity_id = ?2)";

/// One page of the events after `after`.
pub(super) fn events(
    connection: &Connection,
    entity: &EntityKey,
    after: u64,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut page = Page::default();
    // No history is that long.
    let Ok(first) = to_column(after) else { return Ok(page.into_events()) };

    let mut statement = connection.prepare_cached(EVENTS)?;
    let mut rows = statement.query(params![&*entity.persistence_id, &*entity.entity_id, first])?;
    let mut previous = after;
    while !page.is_full()
        && let Some(row) = rows.next()?
    {
        let sequence = from_column(row.get(0)?)?;
        if sequence != previous + 1 {
            let gap = format!("after event {previous} of entity {entity} comes event {sequence}");
            return Err(StoreError::corrupt(gap));
        }
        page.push(StoredEvent { sequence, payload: payload(row)? });
        previous = sequence;
    }
    Ok(page.into_events())
}

/// The newest snapshot, which is the only one kept.
pub(super) fn snapshot(
    connection: &Connection,
    entity: &EntityKey,
) -> Result<Option<StoredSnapshot>, StoreError> {
    let snapshot = connection
        .prepare_cached(SNAPSHOT)?
        .query_row(params![&*entity.persistence_id, &*entity.entity_id], |row| {
            Ok(StoredSnapshot { sequence: from_column(row.get(0)?)?, payload: payload(row)? })
        })
        .optional()?;
    Ok(snapshot)
}

fn payload(row: &Row<'_>) -> rusqlite::Result<Any> {
    let value: Vec<u8> = row.get(2)?;
    Ok(Any { type_url: row.get(1)?, value: value.into() })
}

/// Starts one thread for each connection.
pub(super) fn start(connections: Vec<Connection>) -> io::Result<(ReadQueue, Vec<JoinHandle<()>>)> {
    let (sender, receiver) = mpsc::channel(QUEUED_READS);
    let receiver = Arc::new(Mutex::new(receiver));
    let threads = connections
        .into_iter()
        .map(|connection| {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new().name("store-reader".to_owned()).spawn(move || run(&receiver, &connection))
        })
        .collect::<io::Result<_>>()?;
    Ok((ReadQueue(sender), threads))
}

fn run(requests: &Mutex<mpsc::Receiver<Request>>, connection: &Connection) {
    loop {
        let request = {
            let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
            let request = requests.blocking_recv();
            if matches!(request, Some(Request::Close)) {
                requests.close();
            }
            request
        };
        match request {
            Some(Request::Read(read)) => read(connection),
            Some(Request::Close) => {}
            None => break,
        }
    }
}

enum Request {
    Read(Box<dyn FnOnce(&Connection) + Send>),
    /// Answer what came before this, refuse what comes after.
    Close,
}

#[derive(Clone)]
pub(super) struct ReadQueue(mpsc::Sender<Request>);

impl ReadQueue {
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let read = move |connection: &Connection| {
            // Who asked may have gone.
            if !answer.is_closed() {
                let _ = answer.send(read(connection));
            }
        };
        self.0.send(Request::Read(Box::new(read))).await.map_err(|_| StoreError::closed())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    /// Blocks while the queue is full.
    pub(super) fn close(&self) {
        // An error means that all readers have ended already.
        let _ = self.0.blocking_send(Request::Close);
    }
}

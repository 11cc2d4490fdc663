//! How far each consumer has come, and what it has given up.

use prost::Message;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use super::{
    column::{from_column, from_time_column, metadata, payload, to_bound, to_column, to_time_column},
    writing::Writing,
};
use crate::storage::{Consumer, DeadLetter, LogEntry, Source, StoreError, StoredDeadLetter, limits::page};

const EVENT_LOG: &str = "event_log";
const TOPIC: &str = "topic";

const OFFSET: &str = "
    SELECT position FROM consumer
    WHERE source_kind = ?1 AND source = ?2 AND consumer_group = ?3 AND position IS NOT NULL";

const DEAD_LETTERS: &str = "
    SELECT dead_letter.id, dead_letter.stored_at, source_kind, source, consumer_group, attempts, error,
           dead_letter.position, subject, sequence, entry_stored_at, type_url, payload, metadata
    FROM dead_letter
    LEFT JOIN consumer ON consumer.id = dead_letter.consumer
    LEFT JOIN payload_type ON payload_type.id = dead_letter.payload_type
    WHERE dead_letter.id > ?1
    ORDER BY dead_letter.id";

impl Writing<'_> {
    pub(super) fn set_offset(&mut self, consumer: &Consumer, position: u64) -> rusqlite::Result<()> {
        let consumer = self.consumer(consumer)?;
        self.transaction
            .prepare_cached("UPDATE consumer SET position = ?2, stored_at = ?3 WHERE id = ?1")?
            .execute(params![consumer, to_column(position)?, self.now])?;
        Ok(())
    }

    pub(super) fn add_dead_letter(&mut self, letter: &DeadLetter) -> rusqlite::Result<()> {
        let consumer = self.consumer(&letter.consumer)?;
        let entry = &letter.entry;
        let payload_type = self.payload_type(&entry.payload.type_url)?;
        self.transaction
            .prepare_cached(
                "INSERT INTO dead_letter (consumer, stored_at, attempts, error, position, subject, sequence,
                                          entry_stored_at, payload_type, payload, metadata)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                consumer,
                self.now,
                letter.attempts,
                letter.kept_error(),
                to_column(entry.position)?,
                &*entry.subject,
                to_column(entry.sequence)?,
                to_time_column(entry.stored_at),
                payload_type,
                &*entry.payload.value,
                entry.metadata.encode_to_vec(),
            ])?;
        Ok(())
    }

    pub(super) fn forget_dead_letter(&mut self, id: u64) -> rusqlite::Result<()> {
        if let Ok(id) = to_column(id) {
            self.transaction.prepare_cached("DELETE FROM dead_letter WHERE id = ?1")?.execute([id])?;
        }
        Ok(())
    }

    fn consumer(&mut self, consumer: &Consumer) -> rusqlite::Result<i64> {
        if let Some(id) = self.known.consumers.get(consumer) {
            return Ok(id);
        }
        let id = self.find_or_insert(
            "SELECT id FROM consumer WHERE source_kind = ?1 AND source = ?2 AND consumer_group = ?3",
            "INSERT INTO consumer (source_kind, source, consumer_group) VALUES (?1, ?2, ?3)",
            names(consumer),
        )?;
        self.known.consumers.remember(consumer, id);
        Ok(id)
    }
}

pub(super) fn offset(connection: &Connection, consumer: &Consumer) -> Result<Option<u64>, StoreError> {
    let position = connection
        .prepare_cached(OFFSET)?
        .query_row(names(consumer), |row| from_column(row.get(0)?))
        .optional()?;
    Ok(position)
}

/// One page of what follows `after`.
pub(super) fn dead_letters(connection: &Connection, after: u64) -> Result<Vec<StoredDeadLetter>, StoreError> {
    let mut statement = connection.prepare_cached(DEAD_LETTERS)?;
    let letters = statement.query_and_then([to_bound(after)], |row| Ok(dead_letter(row)?))?;
    page(letters, |stored| stored.letter.bytes())
}

pub(super) fn dead_letter_count(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM dead_letter")?;
    Ok(statement.query_row([], |row| from_column(row.get(0)?))?)
}

fn dead_letter(row: &Row<'_>) -> rusqlite::Result<StoredDeadLetter> {
    let letter = DeadLetter {
        consumer: Consumer { source: source(row)?, group: row.get(4)? },
        attempts: row.get(5)?,
        error: row.get(6)?,
        entry: LogEntry {
            position: from_column(row.get(7)?)?,
            subject: row.get(8)?,
            sequence: from_column(row.get(9)?)?,
            stored_at: from_time_column(row.get(10)?)?,
            payload: payload(row, 11)?,
            metadata: metadata(row, 13)?,
        },
    };
    Ok(StoredDeadLetter { id: from_column(row.get(0)?)?, stored_at: from_time_column(row.get(1)?)?, letter })
}

fn source(row: &Row<'_>) -> rusqlite::Result<Source> {
    let name = row.get(3)?;
    match row.get_ref(2)?.as_str()? {
        EVENT_LOG => Ok(Source::EventLog(name)),
        TOPIC => Ok(Source::Topic(name)),
        _ => Err(rusqlite::Error::InvalidColumnType(2, "source_kind".to_owned(), Type::Text)),
    }
}

/// The columns that tell consumers apart.
fn names(consumer: &Consumer) -> [&str; 3] {
    let kind = match consumer.source {
        Source::EventLog(_) => EVENT_LOG,
        Source::Topic(_) => TOPIC,
    };
    [kind, consumer.source.name(), &consumer.group]
}

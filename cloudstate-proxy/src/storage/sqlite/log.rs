//! What consumers read: events by persistence id, messages by topic.
//!
//! The journal has no index by persistence id: an index costs every event, readers or not. Instead `event_block` says
//! in which blocks of the journal a persistence id has events: one row for each block, one comparison for each append.
//! A reader walks those blocks and skips the other events in them.

use std::sync::Arc;

use cloudstate_proto::{Any, Metadata};
use prost::Message;
use rusqlite::{Connection, params};

use super::{
    column::{from_column, from_time_column, metadata, payload, to_bound},
    writing::Writing,
};
use crate::storage::{LogEntry, MAX_TRIMMED_MESSAGES, Source, StoreError, limits::page};

/// The number of positions in one block of the journal. A part of the format.
const BLOCK: i64 = 256;

/// The most blocks that one page walks through, so that looking for rare events holds up no other reader. At least two:
/// every block has an event, but in the first it may be before the page.
const PAGE_BLOCKS: i64 = 64;

/// `CROSS` keeps SQLite from changing the order of the loops, which is the order of the result.
const EVENT_LOG: &str = "
    SELECT event.position, entity_id, sequence, stored_at, type_url, payload
    FROM event_block
    CROSS JOIN event ON event.position BETWEEN max(block * ?3, ?2 + 1) AND block * ?3 + ?3 - 1
    LEFT JOIN entity ON entity.id = event.entity
    LEFT JOIN payload_type ON payload_type.id = event.payload_type
    WHERE event_block.persistence_id = ?1
      AND block BETWEEN (?2 + 1) / ?3 AND (
          SELECT max(block) FROM (
              SELECT block FROM event_block
              WHERE persistence_id = ?1 AND block >= (?2 + 1) / ?3
              ORDER BY block LIMIT ?4))
      AND (entity.persistence_id = ?1 OR entity.id IS NULL)
    ORDER BY block, event.position";

const TOPIC: &str = "
    SELECT position, subject, stored_at, type_url, payload, metadata
    FROM message
    LEFT JOIN payload_type ON payload_type.id = message.payload_type
    WHERE topic = (SELECT id FROM topic WHERE name = ?1) AND position > ?2
    ORDER BY position";

impl Writing<'_> {
    /// Events of a persistence id were stored from position `first` to `last`.
    pub(super) fn note_blocks(
        &mut self,
        persistence_id: &Arc<str>,
        first: i64,
        last: i64,
    ) -> rusqlite::Result<()> {
        let newest = last / BLOCK;
        if self.known.newest_blocks.get(persistence_id) == Some(newest) {
            return Ok(());
        }
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO event_block (persistence_id, block) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        for block in first / BLOCK..=newest {
            insert.execute(params![&**persistence_id, block])?;
        }
        self.known.newest_blocks.remember(persistence_id, newest);
        Ok(())
    }

    pub(super) fn add_message(
        &mut self,
        topic: &Arc<str>,
        subject: &str,
        payload: &Any,
        metadata: &Metadata,
    ) -> rusqlite::Result<()> {
        let topic = self.topic(topic)?;
        let payload_type = self.payload_type(&payload.type_url)?;
        self.transaction
            .prepare_cached(
                "INSERT INTO message (topic, subject, stored_at, payload_type, payload, metadata)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                topic,
                subject,
                self.now,
                payload_type,
                &*payload.value,
                metadata.encode_to_vec()
            ])?;
        self.grew = true;
        Ok(())
    }

    pub(super) fn trim_topic(&mut self, topic: &Arc<str>, through: u64) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "DELETE FROM message WHERE position IN (
                     SELECT position FROM message
                     WHERE topic = (SELECT id FROM topic WHERE name = ?1) AND position <= ?2
                     ORDER BY position LIMIT ?3)",
            )?
            .execute(params![&**topic, to_bound(through), MAX_TRIMMED_MESSAGES])?;
        Ok(())
    }

    fn topic(&mut self, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.known.topics.get(name) {
            return Ok(id);
        }
        let id = self.find_or_insert(
            "SELECT id FROM topic WHERE name = ?1",
            "INSERT INTO topic (name) VALUES (?1)",
            [&**name],
        )?;
        self.known.topics.remember(name, id);
        Ok(id)
    }
}

/// One page of what follows `after`.
pub(super) fn log(connection: &Connection, source: &Source, after: u64) -> Result<Vec<LogEntry>, StoreError> {
    match source {
        Source::EventLog(persistence_id) => events(connection, persistence_id, after),
        Source::Topic(topic) => messages(connection, topic, after),
    }
}

fn events(connection: &Connection, persistence_id: &str, after: u64) -> Result<Vec<LogEntry>, StoreError> {
    let mut statement = connection.prepare_cached(EVENT_LOG)?;
    let place = params![persistence_id, to_bound(after), BLOCK, PAGE_BLOCKS];
    let entries = statement.query_and_then(place, |row| {
        Ok(LogEntry {
            position: from_column(row.get(0)?)?,
            subject: row.get(1)?,
            sequence: from_column(row.get(2)?)?,
            stored_at: from_time_column(row.get(3)?)?,
            payload: payload(row, 4)?,
            metadata: Metadata::default(),
        })
    })?;
    page(entries, LogEntry::bytes)
}

fn messages(connection: &Connection, topic: &str, after: u64) -> Result<Vec<LogEntry>, StoreError> {
    let mut statement = connection.prepare_cached(TOPIC)?;
    let entries = statement.query_and_then(params![topic, to_bound(after)], |row| {
        Ok(LogEntry {
            position: from_column(row.get(0)?)?,
            subject: row.get(1)?,
            sequence: 0,
            stored_at: from_time_column(row.get(2)?)?,
            payload: payload(row, 3)?,
            metadata: metadata(row, 5)?,
        })
    })?;
    page(entries, LogEntry::bytes)
}

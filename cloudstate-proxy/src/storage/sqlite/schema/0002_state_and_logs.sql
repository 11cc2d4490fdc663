-- Format version 2: states of value entities and CRDTs, topics, consumers, dead letters.
-- docs/storage-format.md explains every column.

CREATE TABLE value (
    entity        INTEGER PRIMARY KEY REFERENCES entity (id),
    stored_at     INTEGER NOT NULL,
    payload_type  INTEGER NOT NULL REFERENCES payload_type (id),
    payload       BLOB NOT NULL
) STRICT;

CREATE TABLE crdt (
    entity        INTEGER PRIMARY KEY REFERENCES entity (id),
    stored_at     INTEGER NOT NULL,
    payload_type  INTEGER REFERENCES payload_type (id),
    payload       BLOB,
    CHECK ((payload_type IS NULL) = (payload IS NULL))
) STRICT;

-- Where in the journal the events of a kind of entity are: in which blocks of 256 positions.
CREATE TABLE event_block (
    persistence_id  TEXT NOT NULL,
    block           INTEGER NOT NULL,
    PRIMARY KEY (persistence_id, block)
) STRICT, WITHOUT ROWID;

INSERT INTO event_block (persistence_id, block)
SELECT DISTINCT persistence_id, position / 256
FROM event
JOIN entity ON entity.id = event.entity;

CREATE TABLE topic (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE
) STRICT;

-- AUTOINCREMENT: messages are removed, and their positions must not be given again.
CREATE TABLE message (
    position      INTEGER PRIMARY KEY AUTOINCREMENT,
    topic         INTEGER NOT NULL REFERENCES topic (id),
    subject       TEXT NOT NULL,
    stored_at     INTEGER NOT NULL,
    payload_type  INTEGER NOT NULL REFERENCES payload_type (id),
    payload       BLOB NOT NULL,
    metadata      BLOB NOT NULL
) STRICT;

CREATE INDEX message_of_topic ON message (topic);

CREATE TABLE consumer (
    id              INTEGER PRIMARY KEY,
    source_kind     TEXT NOT NULL CHECK (source_kind IN ('event_log', 'topic')),
    source          TEXT NOT NULL,
    consumer_group  TEXT NOT NULL,
    position        INTEGER CHECK (position >= 0),
    stored_at       INTEGER,
    UNIQUE (source_kind, source, consumer_group),
    CHECK ((position IS NULL) = (stored_at IS NULL))
) STRICT;

CREATE TABLE dead_letter (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer         INTEGER NOT NULL REFERENCES consumer (id),
    stored_at        INTEGER NOT NULL,
    attempts         INTEGER NOT NULL CHECK (attempts >= 0),
    error            TEXT NOT NULL,
    position         INTEGER NOT NULL CHECK (position >= 0),
    subject          TEXT NOT NULL,
    sequence         INTEGER NOT NULL CHECK (sequence >= 0),
    entry_stored_at  INTEGER NOT NULL,
    payload_type     INTEGER NOT NULL REFERENCES payload_type (id),
    payload          BLOB NOT NULL,
    metadata         BLOB NOT NULL
) STRICT;

-- The same with names in place of numbers, for people.

CREATE VIEW value_entities AS
SELECT persistence_id, entity_id, stored_at, type_url, payload
FROM value
JOIN entity ON entity.id = value.entity
JOIN payload_type ON payload_type.id = value.payload_type;

CREATE VIEW crdts AS
SELECT persistence_id, entity_id, stored_at, type_url, payload
FROM crdt
JOIN entity ON entity.id = crdt.entity
LEFT JOIN payload_type ON payload_type.id = crdt.payload_type;

CREATE VIEW messages AS
SELECT position, topic.name AS topic, subject, stored_at, type_url, payload, metadata
FROM message
JOIN topic ON topic.id = message.topic
JOIN payload_type ON payload_type.id = message.payload_type;

CREATE VIEW dead_letters AS
SELECT dead_letter.id, source_kind, source, consumer_group, dead_letter.stored_at, attempts, error,
       dead_letter.position, subject, sequence, entry_stored_at, type_url, payload, metadata
FROM dead_letter
JOIN consumer ON consumer.id = dead_letter.consumer
JOIN payload_type ON payload_type.id = dead_letter.payload_type;

-- Format version 1: events and snapshots of entities. docs/storage-format.md explains every column.

CREATE TABLE entity (
    id              INTEGER PRIMARY KEY,
    persistence_id  TEXT NOT NULL,
    entity_id       TEXT NOT NULL,
    UNIQUE (persistence_id, entity_id)
) STRICT;

CREATE TABLE payload_type (
    id        INTEGER PRIMARY KEY,
    type_url  TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE event (
    position      INTEGER PRIMARY KEY,
    entity        INTEGER NOT NULL REFERENCES entity (id),
    sequence      INTEGER NOT NULL CHECK (sequence > 0),
    stored_at     INTEGER NOT NULL,
    payload_type  INTEGER NOT NULL REFERENCES payload_type (id),
    payload       BLOB NOT NULL,
    UNIQUE (entity, sequence)
) STRICT;

CREATE TABLE snapshot (
    entity        INTEGER PRIMARY KEY REFERENCES entity (id),
    sequence      INTEGER NOT NULL CHECK (sequence >= 0),
    stored_at     INTEGER NOT NULL,
    payload_type  INTEGER NOT NULL REFERENCES payload_type (id),
    payload       BLOB NOT NULL
) STRICT;

-- The same with names in place of numbers, for people.

CREATE VIEW journal AS
SELECT position, persistence_id, entity_id, sequence, stored_at, type_url, payload
FROM event
JOIN entity ON entity.id = event.entity
JOIN payload_type ON payload_type.id = event.payload_type;

CREATE VIEW snapshots AS
SELECT persistence_id, entity_id, sequence, stored_at, type_url, payload
FROM snapshot
JOIN entity ON entity.id = snapshot.entity
JOIN payload_type ON payload_type.id = snapshot.payload_type;

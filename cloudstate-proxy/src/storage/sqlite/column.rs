//! How our values stand in columns.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloudstate_proto::{Any, Metadata};
use prost::Message;
use rusqlite::{Error, Row, types::Type};

/// SQLite's integers are signed; a sequence is not.
pub(super) fn to_column(number: u64) -> rusqlite::Result<i64> {
    i64::try_from(number).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

/// For comparisons: beyond the greatest number of a column there is nothing.
pub(super) fn to_bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn from_column(number: i64) -> rusqlite::Result<u64> {
    u64::try_from(number).map_err(|_| Error::IntegralValueOutOfRange(0, number))
}

/// In milliseconds since 1970, UTC; a time before is 1970.
pub(super) fn to_time_column(time: SystemTime) -> i64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn from_time_column(milliseconds: i64) -> rusqlite::Result<SystemTime> {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(from_column(milliseconds)?))
        .ok_or(Error::IntegralValueOutOfRange(0, milliseconds))
}

/// From the columns `type_url`, at `first`, and `payload`, after it.
pub(super) fn payload(row: &Row<'_>, first: usize) -> rusqlite::Result<Any> {
    let value: Vec<u8> = row.get(first + 1)?;
    Ok(Any { type_url: row.get(first)?, value: value.into() })
}

pub(super) fn metadata(row: &Row<'_>, column: usize) -> rusqlite::Result<Metadata> {
    let encoded = row.get_ref(column)?.as_blob().map_err(io::Error::other);
    encoded
        .and_then(|encoded| Metadata::decode(encoded).map_err(io::Error::other))
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Blob, error.into()))
}

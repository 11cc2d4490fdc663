//! What an error of SQLite means for whoever asked.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::storage::{StoreError, error::Refusal};

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match meaning(&error) {
            Meaning::Full => Self::full(error),
            Meaning::Corrupt => Self::corrupt("SQLite found it unreadable").caused_by(error),
            Meaning::Foreign => Self::corrupt("the file is no SQLite database any more").caused_by(error),
            Meaning::Unavailable => Self::unavailable(error),
        }
    }
}

impl Refusal {
    pub(super) fn sqlite(path: &Path, doing: &'static str, error: Error) -> Self {
        let path = path.to_owned();
        match meaning(&error) {
            Meaning::Corrupt => Self::Corrupt { path, why: error.to_string() },
            Meaning::Foreign => Self::Foreign { path, why: error.to_string() },
            Meaning::Full | Meaning::Unavailable => Self::Failed { path, doing, source: Box::new(error) },
        }
    }
}

enum Meaning {
    Full,
    Unavailable,
    Corrupt,
    Foreign,
}

fn meaning(error: &Error) -> Meaning {
    match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => Meaning::Full,
            ErrorCode::NotADatabase => Meaning::Foreign,
            // We look before we write, so a broken constraint means that an index and its table disagree.
            ErrorCode::DatabaseCorrupt | ErrorCode::ConstraintViolation => Meaning::Corrupt,
            _ => Meaning::Unavailable,
        },
        // A value of another type than the schema says, a text that is not UTF-8, a row that must be there.
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::QueryReturnedNoRows
        | Error::Utf8Error(..) => Meaning::Corrupt,
        _ => Meaning::Unavailable,
    }
}

//! Why a store refused or could not.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{EntityKey, MAX_POSITION};

type Source = Arc<dyn Error + Send + Sync>;

/// Why something asked of an open [`Store`](super::Store) was not done.
///
/// Cheap to clone: one failed commit answers many callers.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: Kind,
    source: Option<Source>,
}

#[derive(Clone, Debug)]
enum Kind {
    Conflict { entity: EntityKey, expected: u64, stored: u64 },
    TooLarge { what: &'static str, bytes: usize, limit: usize },
    BeyondPositions(u64),
    Full,
    NearlyFull { free_mib: u64, needed_mib: u64 },
    Unavailable,
    Corrupt(String),
    Closed,
}

impl StoreError {
    /// True when the entity has other events than the caller expected: somebody else wrote them. The caller's state
    /// is old and must be read again.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind, Kind::Conflict { .. })
    }

    /// True when a name, a type URL, a position or the whole of it is over its limit; it will never be accepted.
    pub fn is_too_large(&self) -> bool {
        matches!(self.kind, Kind::TooLarge { .. } | Kind::BeyondPositions(_))
    }

    /// True when there is no room for more, or [soon](super::Store::check) none. Works again as soon as there is.
    pub fn is_full(&self) -> bool {
        matches!(self.kind, Kind::Full | Kind::NearlyFull { .. })
    }

    /// True when the same may succeed later: the store is full, its disk failed, or somebody keeps it locked.
    pub fn is_unavailable(&self) -> bool {
        self.is_full() || matches!(self.kind, Kind::Unavailable)
    }

    /// True when the stored data breaks its own rules: a damaged file, a gap in a history.
    pub fn is_corrupt(&self) -> bool {
        matches!(self.kind, Kind::Corrupt(_))
    }

    /// True when the store was closed before.
    pub fn is_closed(&self) -> bool {
        matches!(self.kind, Kind::Closed)
    }

    /// For a store that found `stored` events where `expected` were.
    pub fn conflict(entity: &EntityKey, expected: u64, stored: u64) -> Self {
        Self::new(Kind::Conflict { entity: entity.clone(), expected, stored })
    }

    /// For a store that takes at most `limit` bytes; `what` is one thing, such as `the append`.
    pub fn too_large(what: &'static str, bytes: usize, limit: usize) -> Self {
        Self::new(Kind::TooLarge { what, bytes, limit })
    }

    pub(super) fn beyond_positions(position: u64) -> Self {
        Self::new(Kind::BeyondPositions(position))
    }

    /// For a store without room; `source` says how that was noticed.
    pub fn full(source: impl Error + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Full, source: Some(Arc::new(source)) }
    }

    pub(super) fn nearly_full(free_mib: u64, needed_mib: u64) -> Self {
        Self::new(Kind::NearlyFull { free_mib, needed_mib })
    }

    /// For a store that may do the same later; `source` says what failed.
    pub fn unavailable(source: impl Error + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Unavailable, source: Some(Arc::new(source)) }
    }

    /// For a store that found damage; `broken` says which rule the data breaks, and where.
    pub fn corrupt(broken: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt(broken.into()))
    }

    /// For a store that is asked after it was closed.
    pub fn closed() -> Self {
        Self::new(Kind::Closed)
    }

    pub(super) fn caused_by(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    fn new(kind: Kind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Conflict { entity, expected, stored } => write!(
                f,
                "entity {entity} has {stored} stored events where {expected} were expected: somebody else wrote to it"
            ),
            Kind::TooLarge { what, bytes, limit } => {
                write!(f, "{what} takes {bytes} bytes; the store accepts at most {limit}")
            }
            Kind::BeyondPositions(position) => {
                write!(f, "{position} is no position of a log; the last there can be is {MAX_POSITION}")
            }
            Kind::Full => f.write_str("the store has no room left: make room on its disk"),
            Kind::NearlyFull { free_mib, needed_mib } => write!(
                f,
                "the disk of the store has {free_mib} MiB left where at least {needed_mib} MiB are needed: make room on it"
            ),
            Kind::Unavailable => f.write_str("the store cannot be used now"),
            Kind::Corrupt(broken) => {
                write!(f, "the stored data is damaged: {broken}; restore the store from a backup")
            }
            Kind::Closed => f.write_str("the store is closed"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Why a store could not be opened. The text names the file and what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OpenError(#[from] Refusal);

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "the store {} is in use by {}: one process owns a store; stop that one or choose another store",
        path.display(),
        match pid { Some(pid) => format!("process {pid}"), None => "another process".to_owned() }
    )]
    InUse { path: PathBuf, pid: Option<u32> },

    #[error(
        "the store {} has format version {found}, this program knows up to {known}: \
         use the newer program, or choose another store",
        path.display()
    )]
    Newer { path: PathBuf, found: usize, known: usize },

    #[error("{} is not a Cloudstate store: {why}; it was left untouched, choose another path", path.display())]
    Foreign { path: PathBuf, why: String },

    #[error("the store {} is damaged: {why}; restore it from a backup, or choose another store", path.display())]
    Corrupt { path: PathBuf, why: String },

    #[error("the store {} cannot be opened: cannot {doing}", path.display())]
    Failed { path: PathBuf, doing: &'static str, source: Box<dyn Error + Send + Sync> },
}

impl Refusal {
    /// `doing` completes "cannot …".
    pub(super) fn failed(
        path: &Path,
        doing: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Failed { path: path.to_owned(), doing, source: source.into() }
    }
}

impl OpenError {
    /// True when another process holds the store.
    pub fn is_in_use(&self) -> bool {
        matches!(self.0, Refusal::InUse { .. })
    }

    /// True when a newer version of this program wrote the store.
    pub fn is_newer(&self) -> bool {
        matches!(self.0, Refusal::Newer { .. })
    }

    /// True when the file is something else than a store.
    pub fn is_foreign(&self) -> bool {
        matches!(self.0, Refusal::Foreign { .. })
    }

    /// True when the store is damaged.
    pub fn is_corrupt(&self) -> bool {
        matches!(self.0, Refusal::Corrupt { .. })
    }
}

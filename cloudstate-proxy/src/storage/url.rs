//! How a person names a store: `memory`, `sqlite:PATH`.

use std::{fmt, path::PathBuf, str::FromStr};

/// Which store to use; the value of `--store`.
///
/// ```
/// use cloudstate_proxy::storage::StoreUrl;
///
/// let url: StoreUrl = "sqlite:.cloudstate/store.db".parse()?;
/// assert_eq!(url, StoreUrl::Sqlite(".cloudstate/store.db".into()));
/// # Ok::<(), cloudstate_proxy::storage::StoreUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// Nothing outlives the process: for tests and for trying things out.
    Memory,
    /// One SQLite file, durable.
    Sqlite(PathBuf),
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<Self, StoreUrlError> {
        let refused = |why: &str| Err(StoreUrlError(format!("cannot use the store {url:?}: {why}")));
        if url == "memory" {
            return Ok(Self::Memory);
        }
        match url.split_once(':') {
            Some(("sqlite", "")) => {
                refused("the path is missing; write for example sqlite:.cloudstate/store.db")
            }
            Some(("sqlite", ":memory:")) => {
                refused("write memory for a store that does not outlive the process")
            }
            Some(("sqlite", path)) if path.starts_with("//") => refused(
                "the path follows the colon, without //; write for example sqlite:/var/lib/cloudstate/store.db",
            ),
            Some(("sqlite", path)) if path.contains('\0') => {
                refused("a path cannot contain a zero character")
            }
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => {
                refused("PostgreSQL is not available yet; use sqlite:PATH or memory")
            }
            _ => refused("write sqlite:PATH or memory"),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// A store was named in a way we do not know. The text says which ways there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreUrlError(String);

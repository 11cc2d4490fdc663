//! Notices that the file was taken away while it is open. The system would let us write on, into a file without a name:
//! acknowledged events that nobody finds again.

use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use crate::storage::{StoreError, error::Refusal};

pub(super) struct Place {
    path: PathBuf,
    file: Identity,
}

impl Place {
    pub(super) fn of(path: &Path) -> Result<Self, Refusal> {
        let metadata =
            fs::metadata(path).map_err(|error| Refusal::failed(path, "find it once more", error))?;
        Ok(Self { path: path.to_owned(), file: identity(&metadata) })
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        if fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.file) {
            return Ok(());
        }
        let path = self.path.display();
        let moved =
            format!("{path} was removed or replaced while it was in use: put it back, or start again");
        Err(StoreError::unavailable(io::Error::other(moved)))
    }
}

#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Other systems do not let an open file be removed.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}

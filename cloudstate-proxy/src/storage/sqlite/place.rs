//! Watches where the file is. When it is taken away while it is open the system would let us write on, into a file
//! without a name: acknowledged events that nobody finds again. When its disk is nearly full somebody must be told in
//! time.

use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use crate::storage::{StoreError, error::Refusal};

/// With less room than this on its disk a store is not ready. The log alone takes ten times as much under load.
#[cfg(unix)]
const MIN_FREE_MIB: u64 = 16;

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

impl Place {
    #[cfg(unix)]
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        // A system that does not tell does not keep us from writing.
        match nix::sys::statvfs::statvfs(&self.path) {
            Ok(disk) => {
                #[allow(clippy::useless_conversion, reason = "narrower on other systems")]
                let (blocks, bytes) = (u64::from(disk.blocks_available()), u64::from(disk.fragment_size()));
                enough_room(blocks.saturating_mul(bytes))
            }
            Err(_) => Ok(()),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(unix)]
fn enough_room(free_bytes: u64) -> Result<(), StoreError> {
    let free = free_bytes / (1024 * 1024);
    if free >= MIN_FREE_MIB { Ok(()) } else { Err(StoreError::nearly_full(free, MIN_FREE_MIB)) }
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_little_room_is_reported_in_time() {
        enough_room(16 << 20).unwrap();
        let error = enough_room((16 << 20) - 1).unwrap_err();
        assert!(error.is_full() && error.is_unavailable(), "{error}");
        assert!(error.to_string().contains("has 15 MiB left where at least 16 MiB are needed"), "{error}");
    }

    #[test]
    fn the_disk_of_this_test_has_room() {
        let folder = tempfile::TempDir::new().unwrap();
        Place::of(folder.path()).unwrap().check_room().unwrap();
    }
}

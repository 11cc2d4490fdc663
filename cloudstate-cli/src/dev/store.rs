//! Where the state of what is developed is kept.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use cloudstate_proxy::storage::{self, OpenError, StoreUrl};

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot empty the store: {}", .0.display())]
    Empty(PathBuf, #[source] io::Error),
}

/// The store of `name` under `root`.
pub(super) fn default_store(root: &Path, name: &str) -> StoreUrl {
    StoreUrl::Sqlite(root.join(".cloudstate").join(name).join("store.db"))
}

/// Forgets everything in the store. One in use, or a file that is no store, is left alone.
pub(super) async fn empty(store: &StoreUrl) -> Result<(), StoreError> {
    let StoreUrl::Sqlite(path) = store else { return Ok(()) };
    if !path.exists() {
        return Ok(());
    }
    match storage::open(store).await {
        Ok(open) => open.close().await,
        Err(error) if error.is_in_use() || error.is_foreign() => return Err(error.into()),
        // Damaged, or too new: a fresh one is what helps.
        Err(_) => {}
    }
    for part in ["", "-wal", "-shm"] {
        let mut file = OsString::from(path);
        file.push(part);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Empty(file.into(), error));
            }
            _ => {}
        }
    }
    Ok(())
}

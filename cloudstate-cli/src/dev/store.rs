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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn store_in(folder: &TempDir) -> (StoreUrl, PathBuf) {
        let url = default_store(folder.path(), "cart");
        (url, folder.path().join(".cloudstate/cart/store.db"))
    }

    #[tokio::test]
    async fn an_emptied_store_is_gone_and_can_be_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (url, path) = store_in(&folder);
        empty(&url).await.unwrap();
        storage::open(&url).await.unwrap().close().await;
        assert!(path.exists());
        empty(&url).await.unwrap();
        assert!(!path.exists());
        storage::open(&url).await.unwrap().close().await;
    }

    #[tokio::test]
    async fn a_store_in_use_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (url, path) = store_in(&folder);
        let open = storage::open(&url).await.unwrap();
        let refused = empty(&url).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
        assert!(path.exists());
        open.close().await;
    }

    #[tokio::test]
    async fn a_file_that_is_no_store_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letter.txt");
        fs::write(&path, "Dear reader, this is not a database. ".repeat(100)).unwrap();
        let refused = empty(&StoreUrl::Sqlite(path.clone())).await.unwrap_err().to_string();
        assert!(refused.contains("is not a Cloudstate store"), "{refused}");
        assert!(fs::read_to_string(&path).unwrap().starts_with("Dear reader"));
    }
}

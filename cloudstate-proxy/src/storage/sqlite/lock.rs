//! One process owns a store.

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io::{Read, Write},
    path::{Path, PathBuf},
    process,
};

use crate::storage::error::Refusal;

/// The lock of the operating system on `PATH.lock`. It ends with the process, however that ends; the process id in the
/// file is for people. The file itself stays: removing it would let two processes lock two files of one name.
pub(super) struct Lock(File);

impl Lock {
    pub(super) fn take(store: &Path) -> Result<Self, Refusal> {
        let failed = |source| Refusal::failed(store, "take its lock file", source);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside(store, ".lock"))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Refusal::InUse { path: store.to_owned(), pid: read_pid(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", process::id())).map_err(failed)?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A process id that is left behind misleads nobody but the person who reads the file.
        let _ = self.0.set_len(0);
        // Closing the file is not enough: a child process that is just being forked shares it until it executes.
        let _ = self.0.unlock();
    }
}

/// `None` when the holder has not written it yet, or the system does not let us read a locked file.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The file that accompanies a store: its path with something appended.
pub(super) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(store);
    path.push(suffix);
    path.into()
}

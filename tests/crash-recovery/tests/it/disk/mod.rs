//! A disk that forgets, tears and fails, under the embedded store.
//!
//! SQLite's steps on the files of a folder pass through [`vfs`]. A [`recorder::Recorder`] writes them down, or makes one
//! fail. From what it wrote down [`platter::Platter`] knows for every moment what a power cut would have left.

pub(crate) mod platter;
pub(crate) mod recorder;
pub(crate) mod vfs;

use std::path::Path;

use tempfile::TempDir;

/// A folder for stores whose durability is simulated: in memory, where there is such a file system.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

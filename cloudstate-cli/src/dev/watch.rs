//! Notices saved files.
//!
//! The system's notifications only say *when* to look; *what* changed is found by walking the folders again and
//! comparing. So the rules of `.gitignore` are those of one library, an editor may save in any way it likes, and only
//! folders that are not ignored are watched at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{File, Metadata},
    io,
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use ignore::{DirEntry, WalkBuilder};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::timeout,
};

/// Editors and version control write several files; the build starts when it has been quiet for so long, …
const QUIET: Duration = Duration::from_millis(100);
/// … or, if it never is, this often.
const AT_MOST: usize = 20;

/// What to watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Files and folders with all that is in them, but for hidden and ignored files.
    pub(super) paths: Vec<PathBuf>,
    /// Files and folders that are not looked at.
    pub(super) output: Vec<PathBuf>,
    /// A file that is not looked at, nor those beside it whose names begin with its name.
    pub(super) store: Option<PathBuf>,
    /// Files that our own output goes to.
    pub(super) logs: Vec<FileId>,
}

/// The same for every path and every open handle of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(open: impl AsFd) -> io::Result<Self> {
        Ok(Self::from(&File::from(open.as_fd().try_clone_to_owned()?).metadata()?))
    }
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Why files cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error("cannot watch {}", .0.display())]
    Path(PathBuf, #[source] io::Error),
    #[error("the system cannot watch {}", .0.display())]
    System(PathBuf, #[source] notify::Error),
    #[error("the system cannot watch files")]
    Unavailable(#[from] notify::Error),
}

/// Watches until it is dropped.
pub(super) struct Watch {
    changes: mpsc::Receiver<Vec<PathBuf>>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Whatever is saved after this returns is noticed.
    pub(super) fn start(scope: Scope) -> Result<Self, WatchError> {
        let mut scope = scope;
        for path in &mut scope.paths {
            *path = path.canonicalize().map_err(|error| WatchError::Path(path.clone(), error))?;
        }
        let signs = Arc::new(Signs::default());
        let mut eyes = Eyes::open(scope, Arc::clone(&signs))?;
        let (sender, changes) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            loop {
                signs.something.notified().await;
                until_quiet(&signs.something).await;
                let looked = tokio::task::spawn_blocking(move || {
                    let changed = eyes.look_again();
                    (eyes, changed)
                });
                let Ok((back, changed)) = looked.await else { return };
                eyes = back;
                if !changed.is_empty() && sender.send(changed).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { changes, task })
    }

    /// Waits for files to appear, change or go; resolves to their paths, sorted. May be cancelled. What happens while
    /// nobody waits is kept for the next call.
    pub(super) async fn changed(&mut self) -> Vec<PathBuf> {
        match self.changes.recv().await {
            Some(changed) => changed,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn until_quiet(something: &Notify) {
    for _ in 0..AT_MOST {
        if timeout(QUIET, something.notified()).await.is_err() {
            return;
        }
    }
}

/// What the system tells.
#[derive(Default)]
struct Signs {
    something: Notify,
    /// Paths that were removed or renamed: the system has forgotten them, even if there is a new folder of that name.
    gone: Mutex<BTreeSet<PathBuf>>,
}

impl Signs {
    fn note(&self, event: notify::Result<notify::Event>) {
        match event {
            // Reading is no change, and our own walk reads.
            Ok(event) if event.kind.is_access() => return,
            Ok(event)
                if matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))) =>
            {
                self.gone().extend(event.paths);
            }
            // An error, for example an overflow of the system's queue, is a reason to look as well.
            _ => {}
        }
        self.something.notify_one();
    }

    fn gone(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Stamp = (Option<SystemTime>, u64);
type Seen = BTreeMap<PathBuf, Stamp>;

/// The watched folders, and what was in them when we last looked.
struct Eyes {
    scope: Scope,
    signs: Arc<Signs>,
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    seen: Seen,
}

impl Eyes {
    fn open(scope: Scope, signs: Arc<Signs>) -> Result<Self, WatchError> {
        let noted = Arc::clone(&signs);
        let watcher = notify::recommended_watcher(move |event| noted.note(event))?;
        let mut eyes = Self { scope, signs, watcher, folders: BTreeSet::new(), seen: Seen::new() };
        eyes.look()?;
        Ok(eyes)
    }

    /// What is different since the last time.
    fn look_again(&mut self) -> Vec<PathBuf> {
        let before = self.seen.clone();
        if let Err(error) = self.look() {
            tracing::warn!("changes may go unnoticed: {error}");
        }
        difference(&before, &self.seen)
    }

    fn look(&mut self) -> Result<(), WatchError> {
        for gone in std::mem::take(&mut *self.signs.gone()) {
            self.folders.remove(&gone);
        }
        let mut failure = None;
        loop {
            let (folders, seen) = self.scope.walk();
            let new: Vec<_> = folders.difference(&self.folders).cloned().collect();
            (self.folders, self.seen) = (folders, seen);
            if new.is_empty() {
                return failure.map_or(Ok(()), Err);
            }
            // Files may have come into a folder between our look and its being watched: look once more.
            for folder in new {
                match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    // One that is gone again needs no watching.
                    Err(error) if folder.exists() => failure = Some(WatchError::System(folder, error)),
                    _ => {}
                }
            }
        }
    }
}

impl Scope {
    /// All folders to watch, and the files in them.
    fn walk(&self) -> (BTreeSet<PathBuf>, Seen) {
        let (mut folders, mut seen) = (BTreeSet::new(), Seen::new());
        for root in &self.paths {
            let scope = self.clone();
            let walk = WalkBuilder::new(root)
                .require_git(false)
                .filter_entry(move |entry| scope.includes(entry.path()))
                .build();
            // What cannot be read now is found when it can.
            for entry in walk.flatten() {
                if entry.file_type().is_some_and(|kind| kind.is_dir()) {
                    folders.insert(entry.into_path());
                } else {
                    // The folder, since editors put a new file in the place of an old one.
                    if entry.depth() == 0 {
                        folders.extend(root.parent().map(Path::to_owned));
                    }
                    if let Some(stamp) = self.stamp(&entry) {
                        seen.insert(entry.into_path(), stamp);
                    }
                }
            }
        }
        (folders, seen)
    }

    /// None for what is not looked at, or gone.
    fn stamp(&self, entry: &DirEntry) -> Option<Stamp> {
        let metadata = entry.metadata().ok()?;
        let is_ours = self.logs.contains(&FileId::from(&metadata));
        (!is_ours).then(|| (metadata.modified().ok(), metadata.len()))
    }

    fn includes(&self, path: &Path) -> bool {
        let is_output = self.output.iter().any(|output| output == path);
        !is_output && !self.store.as_deref().is_some_and(|store| belongs_to(path, store))
    }
}

fn belongs_to(path: &Path, store: &Path) -> bool {
    let begins = |name: &OsStr, with: &OsStr| name.as_encoded_bytes().starts_with(with.as_encoded_bytes());
    path.parent() == store.parent()
        && path.file_name().zip(store.file_name()).is_some_and(|(name, with)| begins(name, with))
}

/// Paths that only one of both has, or whose stamp differs; sorted.
fn difference(before: &Seen, after: &Seen) -> Vec<PathBuf> {
    let changed = after.iter().filter(|(path, stamp)| before.get(*path) != Some(*stamp));
    let gone = before.iter().filter(|(path, _)| !after.contains_key(*path));
    let all: BTreeSet<_> = changed.chain(gone).map(|(path, _)| path.clone()).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(120);

    struct Folder {
        folder: TempDir,
        root: PathBuf,
    }

    impl Folder {
        fn with(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            let folder = Self { folder, root };
            files.iter().for_each(|(path, text)| folder.write(path, text));
            folder
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn watch(&self) -> Watch {
            Watch::start(Scope { paths: vec![self.root.clone()], ..Scope::default() }).unwrap()
        }

        /// The next change as paths within the folder.
        async fn change(&self, watch: &mut Watch) -> Vec<String> {
            let changed = timeout(DEADLINE, watch.changed()).await.expect("no change was noticed");
            let shown = |path: &PathBuf| path.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned();
            changed.iter().map(shown).collect()
        }
    }

    #[tokio::test]
    async fn ignored_files_are_ignored_and_others_are_not() {
        let folder = Folder::with(&[
            (".gitignore", "*.log\n/generated\n"),
            ("src/.gitignore", "scratch.rs\n"),
            ("src/lib.rs", "1"),
        ]);
        let mut watch = folder.watch();
        for ignored in ["debug.log", "generated/x.rs", "src/scratch.rs", ".git/index", ".cloudstate/store.db"]
        {
            folder.write(ignored, "2");
        }
        folder.write("src/lib.rs", "22");
        assert_eq!(folder.change(&mut watch).await, ["src/lib.rs"]);
    }

    #[tokio::test]
    async fn files_in_new_folders_are_noticed() {
        let folder = Folder::with(&[("build.rs", "")]);
        let mut watch = folder.watch();
        folder.write("protos/shop/cart.proto", "1");
        assert_eq!(folder.change(&mut watch).await, ["protos/shop/cart.proto"]);
        folder.write("protos/shop/cart.proto", "22");
        assert_eq!(folder.change(&mut watch).await, ["protos/shop/cart.proto"]);
    }

    #[tokio::test]
    async fn removed_and_replaced_files_are_noticed() {
        let folder = Folder::with(&[("a.rs", "1"), ("b.rs", "1")]);
        let mut watch = folder.watch();
        fs::remove_file(folder.root.join("a.rs")).unwrap();
        assert_eq!(folder.change(&mut watch).await, ["a.rs"]);
        // As editors save: write beside, then take the place. Hidden, or a look between both would find it.
        folder.write(".b.rs.new", "22");
        fs::rename(folder.root.join(".b.rs.new"), folder.root.join("b.rs")).unwrap();
        assert_eq!(folder.change(&mut watch).await, ["b.rs"]);
    }

    #[tokio::test]
    async fn one_file_can_be_watched() {
        let folder = Folder::with(&[("cart.proto", "1"), ("other.proto", "1")]);
        let paths = vec![folder.root.join("cart.proto")];
        let mut watch = Watch::start(Scope { paths, ..Scope::default() }).unwrap();
        folder.write("other.proto", "22");
        folder.write("cart.proto", "22");
        assert_eq!(folder.change(&mut watch).await, ["cart.proto"]);
    }

    #[tokio::test]
    async fn what_we_write_ourselves_is_no_source() {
        let folder = Folder::with(&[
            ("target/debug/cart", "1"),
            ("data/store.db", "1"),
            ("dev.log", "1"),
            ("main.rs", "1"),
        ]);
        let mut watch = Watch::start(Scope {
            paths: vec![folder.root.clone()],
            output: vec![folder.root.join("target")],
            store: Some(folder.root.join("data/store.db")),
            logs: vec![FileId::of(File::open(folder.root.join("dev.log")).unwrap()).unwrap()],
        })
        .unwrap();
        for written in ["target/debug/cart", "data/store.db", "data/store.db-wal", "dev.log"] {
            folder.write(written, "22");
        }
        folder.write("main.rs", "22");
        assert_eq!(folder.change(&mut watch).await, ["main.rs"]);
    }

    #[tokio::test]
    async fn what_is_missing_cannot_be_watched() {
        let paths = vec![PathBuf::from("/no/such/folder")];
        let error = Watch::start(Scope { paths, ..Scope::default() }).err().unwrap();
        assert_eq!(error.to_string(), "cannot watch /no/such/folder");
    }
}

//! Writes down what happens to the files of a folder, and makes it fail when it is told to.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use rusqlite::ffi;

use super::{
    platter::Happened,
    vfs::{self, Attached, Disk, Step, Verdict},
};

/// What a failing disk fails with, and at which steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// EIO at any step. A write gets half done.
    Broken,
    /// ENOSPC at those that need room.
    Full,
}

/// When it fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) fault: Fault,
    /// Counts the steps that this fault can hit; the first is 1.
    pub(crate) step: u64,
    /// The steps after it fail as well, until the disk is repaired.
    pub(crate) lasting: bool,
}

/// The disk under one folder.
pub(crate) struct Recorder {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    plan: Option<Plan>,
    /// Of those that the plan's fault can hit.
    steps: u64,
    failed: u64,
}

/// One line of the record.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Happened(Happened),
    /// A client was told so.
    Promised(String, u64),
}

impl Recorder {
    /// Records what happens in `folder` while the second value lives.
    pub(crate) fn attach(folder: &Path) -> (Arc<Self>, Attached) {
        let recorder = Arc::new(Self { state: Mutex::default() });
        let attached = vfs::attach(folder, Arc::clone(&recorder) as Arc<dyn Disk>);
        (recorder, attached)
    }

    pub(crate) fn fail(&self, plan: Plan) {
        let mut state = self.state();
        state.plan = Some(plan);
        state.steps = 0;
    }

    /// Nothing fails from now on. Answers how many steps did.
    pub(crate) fn repair(&self) -> u64 {
        let mut state = self.state();
        state.plan = None;
        state.failed
    }

    /// How many steps failed.
    pub(crate) fn failed(&self) -> u64 {
        self.state().failed
    }

    /// Somebody relies on `what` having come to `number`.
    pub(crate) fn promise(&self, what: &str, number: u64) {
        self.state().entries.push(Entry::Promised(what.to_owned(), number));
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.state().entries.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Disk for Recorder {
    fn before(&self, step: &Step<'_>) -> Verdict {
        let mut state = self.state();
        if let Some(fault) = state.fault_of(step) {
            let verdict = fails(step, fault);
            state.entries.extend(happens(step, verdict).map(Entry::Happened));
            return verdict;
        }
        state.entries.extend(happens(step, Verdict::Go).map(Entry::Happened));
        Verdict::Go
    }
}

impl State {
    fn fault_of(&mut self, step: &Step<'_>) -> Option<Fault> {
        let plan = self.plan?;
        let is_hit = match plan.fault {
            Fault::Broken => !matches!(step, Step::Opened(..)),
            Fault::Full => matches!(step, Step::Write { .. } | Step::MapIndex),
        };
        if !is_hit {
            return None;
        }
        self.steps += 1;
        let fails = self.steps == plan.step || plan.lasting && self.steps > plan.step;
        self.failed += u64::from(fails);
        fails.then_some(plan.fault)
    }
}

/// The result code of a step that fails, as the system's VFS has it.
fn fails(step: &Step<'_>, fault: Fault) -> Verdict {
    match (step, fault) {
        (Step::Write { .. }, Fault::Full) => Verdict::Fail(ffi::SQLITE_FULL),
        (Step::Write { bytes, .. }, Fault::Broken) => Verdict::Tear(bytes.len() / 2, ffi::SQLITE_IOERR_WRITE),
        (Step::MapIndex, Fault::Full) => Verdict::Fail(ffi::SQLITE_IOERR_SHMSIZE),
        (Step::MapIndex, Fault::Broken) => Verdict::Fail(ffi::SQLITE_IOERR_SHMMAP),
        (Step::Open, _) => Verdict::Fail(ffi::SQLITE_CANTOPEN),
        (Step::Read, _) => Verdict::Fail(ffi::SQLITE_IOERR_READ),
        (Step::Truncate { .. }, _) => Verdict::Fail(ffi::SQLITE_IOERR_TRUNCATE),
        (Step::Sync(_), _) => Verdict::Fail(ffi::SQLITE_IOERR_FSYNC),
        (Step::Size, _) => Verdict::Fail(ffi::SQLITE_IOERR_FSTAT),
        (Step::Lock, _) => Verdict::Fail(ffi::SQLITE_IOERR_LOCK),
        (Step::LockIndex, _) => Verdict::Fail(ffi::SQLITE_IOERR_SHMLOCK),
        (Step::Access, _) => Verdict::Fail(ffi::SQLITE_IOERR_ACCESS),
        (Step::Delete { .. }, _) => Verdict::Fail(ffi::SQLITE_IOERR_DELETE),
        (Step::Opened(..), _) => Verdict::Go,
    }
}

/// What a step changes, given how it ends.
fn happens(step: &Step<'_>, verdict: Verdict) -> Option<Happened> {
    let position = |offset: u64| usize::try_from(offset).unwrap();
    match (step, verdict) {
        (Step::Sync(inode), Verdict::Fail(_)) => Some(Happened::SyncFailed(*inode)),
        (Step::Write { file, offset, bytes }, Verdict::Tear(written, _)) => Some(Happened::Wrote {
            inode: *file,
            offset: position(*offset),
            bytes: bytes[..written].to_vec(),
        }),
        (_, Verdict::Fail(_) | Verdict::Tear(..)) => None,
        (Step::Opened(path, inode), Verdict::Go) => {
            let empty = fs::metadata(path).unwrap().len() == 0;
            Some(Happened::Opened { name: name(path), inode: *inode, empty })
        }
        (Step::Write { file, offset, bytes }, Verdict::Go) => {
            Some(Happened::Wrote { inode: *file, offset: position(*offset), bytes: bytes.to_vec() })
        }
        (Step::Truncate { file, length }, Verdict::Go) => {
            Some(Happened::Truncated { inode: *file, length: position(*length) })
        }
        (Step::Sync(inode), Verdict::Go) => Some(Happened::Synced(*inode)),
        (Step::Delete { path, durable }, Verdict::Go) => {
            Some(Happened::Removed { name: name(path), durable: *durable })
        }
        (
            Step::Open
            | Step::Read
            | Step::Size
            | Step::Lock
            | Step::MapIndex
            | Step::LockIndex
            | Step::Access,
            Verdict::Go,
        ) => None,
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

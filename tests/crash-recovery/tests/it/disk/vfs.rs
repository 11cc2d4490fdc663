//! A layer between SQLite and the system's files, which asks before each step. All `unsafe` of this crate is here.
//!
//! SQLite reaches files through a table of functions, a VFS. Ours is the default one of this process from the first
//! [`attach`] on. It hands files outside of attached folders straight to the system's VFS. For those inside it keeps
//! the system's file behind its own and passes each call on, unless the folder's [`Disk`] says otherwise.
//!
//! What makes it sound, and is referred to below:
//!
//! - *Layout.* SQLite gives `szOsFile` bytes, aligned to 8, for a file. We ask for [`Handle`] and, behind it, as many as
//!   the system's VFS wants; the size of a `Handle` is a multiple of 8, so both are aligned. `Handle` is `repr(C)` and
//!   begins with a `sqlite3_file`, as SQLite demands.
//! - *Life.* `pMethods` is set to [`METHODS`] only once the handle and the system's file are whole, and SQLite calls those
//!   methods only on a file with these `pMethods`, between a successful `xOpen` and `xClose`. So each method may rely
//!   on both. `xClose` is the last call and frees the context.
//! - *One at a time.* SQLite never calls two methods of one file at once: a connection is used by one thread at a time
//!   and its files are its own. The context is only read, and [`Disk`] is `Sync`.
//! - *For ever.* Our VFS and the system's are never freed: ours is leaked, the other one is static in SQLite.

#![allow(unsafe_code, reason = "SQLite's interface is C; each block says why it is sound")]

use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    ptr, slice,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

/// Decides what becomes of each step that is taken on the files of one folder.
pub(crate) trait Disk: Send + Sync {
    fn before(&self, step: &Step<'_>) -> Verdict;
}

/// What SQLite is about to do.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// Open a file or create it.
    Open,
    /// The file at this path has been opened: told, not asked.
    Opened(&'a Path, Inode),
    Read,
    Write {
        file: Inode,
        offset: u64,
        bytes: &'a [u8],
    },
    Truncate {
        file: Inode,
        length: u64,
    },
    Sync(Inode),
    Size,
    Lock,
    MapIndex,
    LockIndex,
    Access,
    /// Remove a file, for good when `durable`.
    Delete {
        path: &'a Path,
        durable: bool,
    },
}

/// The file itself, whatever its name.
pub(crate) type Inode = u64;

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Go,
    /// It fails without effect, with one of SQLite's result codes.
    Fail(c_int),
    /// A write fails after so many bytes.
    Tear(usize, c_int),
}

/// Detaches the disk when it is dropped. Files that are open then keep it.
pub(crate) struct Attached(PathBuf);

/// Lets `disk` decide about every file that is opened in `folder` from now on.
pub(crate) fn attach(folder: &Path, disk: Arc<dyn Disk>) -> Attached {
    system();
    let folder = folder.canonicalize().unwrap();
    disks().push((folder.clone(), disk));
    Attached(folder)
}

impl Drop for Attached {
    fn drop(&mut self) {
        disks().retain(|(folder, _)| *folder != self.0);
    }
}

type Disks = Vec<(PathBuf, Arc<dyn Disk>)>;
static DISKS: RwLock<Disks> = RwLock::new(Vec::new());

fn disks() -> std::sync::RwLockWriteGuard<'static, Disks> {
    DISKS.write().unwrap_or_else(PoisonError::into_inner)
}

fn disk_of(path: &Path) -> Option<Arc<dyn Disk>> {
    let disks = DISKS.read().unwrap_or_else(PoisonError::into_inner);
    let (_, disk) = disks.iter().find(|(folder, _)| path.parent() == Some(folder))?;
    Some(Arc::clone(disk))
}

/// The system's VFS. It is only called, never changed.
struct System(*mut sqlite3_vfs);

// SAFETY: the pointer is to a VFS that lives for ever (*For ever*), and SQLite calls it from any thread itself.
unsafe impl Send for System {}
// SAFETY: as above; nobody writes through it.
unsafe impl Sync for System {}

/// The system's VFS; the first call puts ours before it.
fn system() -> *mut sqlite3_vfs {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM
        .get_or_init(|| {
            // SAFETY: no name asks for the default VFS. This initialises SQLite, which may be done at any time.
            let system = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
            assert!(!system.is_null(), "SQLite has a VFS");
            // SAFETY: SQLite answers with a VFS that lives for ever and that nobody changes but for `pNext`, which a
            // registration in another thread might; the test process has no other one, and none is under way here.
            let mut ours = unsafe { *system };
            ours.zName = c"asks-first".as_ptr();
            ours.pNext = ptr::null_mut();
            ours.szOsFile += c_int::try_from(size_of::<Handle>()).unwrap();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            ours.xAccess = Some(access);
            // The other functions are the system's own. They read `pAppData` and `mxPathname` of the VFS they are given at
            // most, and those are copies.
            // SAFETY: the VFS is leaked, so it lives for ever, and is whole.
            let registered = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1) };
            assert_eq!(registered, ffi::SQLITE_OK);
            System(system)
        })
        .0
}

/// A file of ours; the system's follows it in memory (*Layout*).
#[repr(C)]
struct Handle {
    base: sqlite3_file,
    context: *mut Context,
}

const _: () = assert!(size_of::<Handle>().is_multiple_of(8), "the system's file behind it must be aligned");

struct Context {
    disk: Arc<dyn Disk>,
    inode: Inode,
}

/// # Safety
///
/// `file` must have room for a [`Handle`] and the system's file behind it.
unsafe fn behind(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: the caller has the room, so the sum stays inside of it.
    unsafe { file.cast::<Handle>().add(1).cast() }
}

/// An open file: who decides about it, and the system's file with its methods.
struct File<'a> {
    context: &'a Context,
    real: *mut sqlite3_file,
    methods: &'a sqlite3_io_methods,
}

impl File<'_> {
    /// # Safety
    ///
    /// `file` must be one that [`open`] has made and [`close`] has not ended, and not be used elsewhere meanwhile.
    unsafe fn of<'a>(file: *mut sqlite3_file) -> File<'a> {
        // SAFETY: by *Life* the handle is whole, its context allocated, and the system's file open, so that it has
        // methods; by *One at a time* nobody else uses them.
        unsafe {
            let real = behind(file);
            File { context: &*(*file.cast::<Handle>()).context, real, methods: &*(*real).pMethods }
        }
    }

    fn asks(&self, step: &Step<'_>) -> Verdict {
        self.context.disk.before(step)
    }
}

/// Calls a method of the system's file.
macro_rules! pass_on {
    ($file:ident . $method:ident ( $($argument:expr),* )) => {
        match $file.methods.$method {
            // SAFETY: the system's file is open (*Life*), and the arguments are those that SQLite gave us for it.
            Some(method) => unsafe { method($file.real $(, $argument)*) },
            None => ffi::SQLITE_NOTFOUND,
        }
    };
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Without memory-mapped pages: those would be written behind our back.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
///
/// `name` must be null or a C string that lives as long as the path is used.
unsafe fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller vouches for the string.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}

// The functions below are called by SQLite alone, which keeps the contract of its C interface: pointers are valid for as
// long as a call takes, buffers have the stated length, and a file obeys *Life* and *One at a time*.

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let system = system();
    // SAFETY: the system's VFS lives for ever and every VFS can open files.
    let Some(open_real) = (unsafe { (*system).xOpen }) else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: SQLite keeps the name until the file is closed; a temporary file has none.
    let watched = unsafe { path(name) }.and_then(|path| Some((path, disk_of(path)?)));
    let Some((path, disk)) = watched else {
        // SAFETY: SQLite's own arguments. The memory is more than the system's file needs, and the system sets methods of
        // its own, so we see nothing more of this file.
        return unsafe { open_real(system, name, file, flags, out_flags) };
    };
    // SAFETY: *Layout*. Without methods SQLite does not close a file that did not open.
    unsafe { (*file).pMethods = ptr::null() };
    if let Verdict::Fail(code) | Verdict::Tear(_, code) = disk.before(&Step::Open) {
        return code;
    }
    // SAFETY: *Layout*: there is room for the system's file.
    let real = unsafe { behind(file) };
    // SAFETY: SQLite's own arguments but for the file, which is memory of the system's size.
    let opened = unsafe { open_real(system, name, real, flags, out_flags) };
    if opened != ffi::SQLITE_OK {
        return opened;
    }
    let inode = inode(path).expect("a file that was just opened is there");
    disk.before(&Step::Opened(path, inode));
    let context = Box::into_raw(Box::new(Context { disk, inode }));
    // SAFETY: *Layout*. Only now does the file get methods (*Life*).
    unsafe {
        file.cast::<Handle>().write(Handle { base: sqlite3_file { pMethods: &raw const METHODS }, context })
    };
    ffi::SQLITE_OK
}

fn inode(path: &Path) -> io::Result<Inode> {
    Ok(path.metadata()?.ino())
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let system = system();
    // SAFETY: SQLite passes a C string.
    if let Some((path, disk)) = unsafe { path(name) }.and_then(|path| Some((path, disk_of(path)?)))
        && let Verdict::Fail(code) | Verdict::Tear(_, code) =
            disk.before(&Step::Delete { path, durable: sync_folder != 0 })
    {
        return code;
    }
    // SAFETY: the system's VFS lives for ever; the other arguments are SQLite's own.
    unsafe { (*system).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(system, name, sync_folder)) }
}

unsafe extern "C" fn access(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    let system = system();
    // SAFETY: SQLite passes a C string.
    if let Some(disk) = unsafe { path(name) }.and_then(disk_of)
        && let Verdict::Fail(code) | Verdict::Tear(_, code) = disk.before(&Step::Access)
    {
        return code;
    }
    // SAFETY: the system's VFS lives for ever; the other arguments are SQLite's own.
    unsafe {
        (*system).xAccess.map_or(ffi::SQLITE_IOERR_ACCESS, |access| access(system, name, flags, answer))
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: *Life*: the file is open.
    let opened = unsafe { File::of(file) };
    let closed = pass_on!(opened.xClose());
    // SAFETY: *Life*: the context is that of `open`, no method comes after this one, and `opened`, which borrows it, is
    // not used again. Without methods SQLite does not close the file once more.
    unsafe {
        drop(Box::from_raw((*file.cast::<Handle>()).context));
        (*file).pMethods = ptr::null();
    }
    closed
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, amount: c_int, offset: i64) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    match file.asks(&Step::Read) {
        Verdict::Go => pass_on!(file.xRead(into, amount, offset)),
        Verdict::Fail(code) | Verdict::Tear(_, code) => code,
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    let length = usize::try_from(amount).expect("a length is not negative");
    // SAFETY: SQLite passes `amount` bytes, which nobody changes during the call.
    let bytes = unsafe { slice::from_raw_parts(from.cast::<u8>(), length) };
    let offset_in_file = u64::try_from(offset).expect("an offset is not negative");
    match file.asks(&Step::Write { file: file.context.inode, offset: offset_in_file, bytes }) {
        Verdict::Go => pass_on!(file.xWrite(from, amount, offset)),
        Verdict::Fail(code) => code,
        Verdict::Tear(written, code) => {
            let part = c_int::try_from(written.min(length)).expect("less than `amount`");
            let torn = pass_on!(file.xWrite(from, part, offset));
            assert_eq!(torn, ffi::SQLITE_OK, "the real disk works");
            code
        }
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    let length = u64::try_from(size).expect("a size is not negative");
    match file.asks(&Step::Truncate { file: file.context.inode, length }) {
        Verdict::Go => pass_on!(file.xTruncate(size)),
        Verdict::Fail(code) | Verdict::Tear(_, code) => code,
    }
}

/// Nothing is flushed for real: what would survive a power cut is the disk's to know, and the real one stays on.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    match file.asks(&Step::Sync(file.context.inode)) {
        Verdict::Go => ffi::SQLITE_OK,
        Verdict::Fail(code) | Verdict::Tear(_, code) => code,
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    match file.asks(&Step::Size) {
        Verdict::Go => pass_on!(file.xFileSize(size)),
        Verdict::Fail(code) | Verdict::Tear(_, code) => code,
    }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    match file.asks(&Step::Lock) {
        Verdict::Go => pass_on!(file.xLock(level)),
        Verdict::Fail(code) | Verdict::Tear(_, code) => code,
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    pass_on!(file.xUnlock(level))
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, answer: *mut c_int) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    pass_on!(file.xCheckReservedLock(answer))
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    // It would write without asking; SQLite lives well with a file that does not grow ahead of time.
    if operation == ffi::SQLITE_FCNTL_SIZE_HINT {
        return ffi::SQLITE_NOTFOUND;
    }
    pass_on!(file.xFileControl(operation, argument))
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    pass_on!(file.xSectorSize())
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    pass_on!(file.xDeviceCharacteristics())
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    address: *mut *mut c_void,
) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    match file.asks(&Step::MapIndex) {
        Verdict::Go => pass_on!(file.xShmMap(region, size, extend, address)),
        Verdict::Fail(code) | Verdict::Tear(_, code) => {
            // SAFETY: SQLite passes a place for the address, and reads it even after an error.
            unsafe { *address = ptr::null_mut() };
            code
        }
    }
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    if flags & ffi::SQLITE_SHM_UNLOCK == 0
        && let Verdict::Fail(code) | Verdict::Tear(_, code) = file.asks(&Step::LockIndex)
    {
        return code;
    }
    pass_on!(file.xShmLock(offset, count, flags))
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    if let Some(barrier) = file.methods.xShmBarrier {
        // SAFETY: the system's file is open (*Life*).
        unsafe { barrier(file.real) }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: *Life*.
    let file = unsafe { File::of(file) };
    pass_on!(file.xShmUnmap(delete))
}

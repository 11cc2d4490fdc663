//! The file: finding it, creating it, refusing what is not ours, bringing it up to date, opening connections.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::lock::beside;
use crate::storage::error::Refusal;

/// `CSST` in ASCII, in the header of every store: tells it from other SQLite files.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"CSST");

/// What leads from one format version to the next. `user_version` in the file counts those that were applied; one
/// that was released never changes.
const MIGRATIONS: &[&str] =
    &[include_str!("schema/0001_journal.sql"), include_str!("schema/0002_state_and_logs.sql")];

/// The tables of the newest format version.
const TABLES: [&str; 11] = [
    "entity",
    "payload_type",
    "event",
    "snapshot",
    "value",
    "crdt",
    "event_block",
    "topic",
    "message",
    "consumer",
    "dead_letter",
];

/// The newest format version we know.
const FORMAT_VERSION: usize = MIGRATIONS.len();

/// How long another program, such as a SQLite shell, may keep the file locked before our request fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The real path of the store, its folders created. One file has one such path, and so one lock.
pub(super) fn locate(path: &Path) -> Result<PathBuf, Refusal> {
    let failed = |doing| move |source| Refusal::failed(path, doing, source);
    let Some(name) = path.file_name() else { return Err(foreign(path, "it is a folder")) };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(failed("create its folder"))?;
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::canonicalize(path).map_err(failed("find it")),
        Ok(metadata) if metadata.is_dir() => Err(foreign(path, "it is a folder")),
        // A device, a pipe, a socket: reading one may block for ever, and moving a store there would destroy it.
        Ok(_) => Err(foreign(path, "it is no regular file")),
        Err(_) if path.is_symlink() => Err(foreign(path, "it is a link that leads nowhere")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(fs::canonicalize(folder).map_err(failed("find its folder"))?.join(name))
        }
        Err(error) => Err(failed("find it")(error)),
    }
}

/// Refuses a file that is no store, by its header and length alone, without SQLite, which repairs what it opens.
pub(super) fn refuse_foreign(path: &Path) -> Result<(), Refusal> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    const HEADER_BYTES: usize = 100;

    let header = read_start(path, HEADER_BYTES).map_err(|error| Refusal::failed(path, "read it", error))?;
    if header.is_empty() {
        return refuse_orphaned_log(path);
    }
    if !header.starts_with(&MAGIC[..MAGIC.len().min(header.len())]) {
        return Err(foreign(path, "it is no SQLite database"));
    }
    if header.len() < HEADER_BYTES {
        return Err(corrupt(path, format!("the file ends after {} bytes", header.len())));
    }
    if header[68..72] != APPLICATION_ID.to_be_bytes() {
        return Err(foreign(path, "it is the SQLite database of another program"));
    }
    refuse_broken_page(path, u64::from(u16::from_be_bytes([header[16], header[17]])))
}

/// SQLite takes what a cut-off last page lacks for zeros. While there is a write-ahead log the page may be whole in it.
fn refuse_broken_page(path: &Path, page_bytes: u64) -> Result<(), Refusal> {
    let length = length(path)?;
    if length.checked_rem(page_bytes) == Some(0) || length_of_log(path)? > 0 {
        return Ok(());
    }
    Err(corrupt(path, format!("its {length} bytes are no whole number of pages")))
}

/// A write-ahead log without its file: SQLite would mix the old log into a new file, and it may hold what was
/// acknowledged last.
fn refuse_orphaned_log(path: &Path) -> Result<(), Refusal> {
    if length_of_log(path)? == 0 {
        return Ok(());
    }
    let log = beside(path, "-wal");
    Err(corrupt(
        path,
        format!("the file is gone but its log {} is there (to start empty, delete that too)", log.display()),
    ))
}

/// Creates the store aside and moves it into place, so that at its path there is none or a whole one.
pub(super) fn create_if_missing(path: &Path) -> Result<(), Refusal> {
    if length(path)? > 0 {
        return Ok(());
    }
    let draft = beside(path, ".new");
    for leftover in
        [draft.clone(), beside(&draft, "-journal"), beside(&draft, "-wal"), beside(&draft, "-shm")]
    {
        remove_if_there(&leftover)
            .map_err(|error| Refusal::failed(path, "remove an unfinished one", error))?;
    }
    create(&draft).map_err(|error| Refusal::sqlite(path, "create it", error))?;
    check_draft(&draft).map_err(|error| Refusal::failed(path, "create it", error))?;
    fs::rename(&draft, path)
        .and_then(|()| sync_folder(path))
        .map_err(|error| Refusal::failed(path, "move it into place", error))
}

fn create(draft: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(draft)?;
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(&mut connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.close().map_err(|(_, error)| error)
}

/// A disk that fails at the end of the switch to a write-ahead log fails nothing that we see. Switching later, under the
/// store's name, leaves a moment in which a power cut makes it a file that no reader opens.
fn check_draft(draft: &Path) -> io::Result<()> {
    const WRITTEN_AND_READ_WITH_LOG: [u8; 2] = [2, 2];
    match read_start(draft, 20)?.get(18..) {
        Some(versions) if versions == WRITTEN_AND_READ_WITH_LOG => Ok(()),
        _ => Err(io::Error::other("its write-ahead log could not be switched on")),
    }
}

/// A connection that cannot write; refuses a store that is damaged or of a newer version.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Refusal> {
    let failed = |error| Refusal::sqlite(path, "open it for reading", error);
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    // Reads the schema: SQLite compares the length of the file with its header.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
    match format_version(&connection).map_err(failed)? {
        0 => Err(corrupt(path, "it has no format version".to_owned())),
        found if found > FORMAT_VERSION => {
            Err(Refusal::Newer { path: path.to_owned(), found, known: FORMAT_VERSION })
        }
        _ => Ok(connection),
    }
}

/// The one connection that writes; brings an older store up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection, Refusal> {
    let failed = |error| Refusal::sqlite(path, "open it for writing", error);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        let source = io::Error::other("the file system lacks shared memory; use a local disk");
        return Err(Refusal::failed(path, "keep a write-ahead log beside it", source));
    }
    for (setting, value) in [
        ("synchronous", "FULL"),
        // On macOS a plain fsync leaves the data in the disk's cache.
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
        // In KiB when negative.
        ("cache_size", "-65536"),
        // In pages: rare checkpoints of 160 MB beat frequent small ones by a quarter.
        ("wal_autocheckpoint", "40000"),
        // The committer writes what a row refers to before the row, in one transaction.
        ("foreign_keys", "OFF"),
    ] {
        connection.pragma_update(None, setting, value).map_err(failed)?;
    }
    migrate(&mut connection).map_err(|error| Refusal::sqlite(path, "bring its format up to date", error))?;
    match missing_table(&connection).map_err(failed)? {
        Some(table) => Err(corrupt(path, format!("its table {table} is missing"))),
        None => Ok(connection),
    }
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A damaged or malicious file is found out early and runs nothing.
    connection.pragma_update(None, "cell_size_check", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let applied = format_version(connection)?;
    for (version, migration) in (1..).zip(MIGRATIONS).skip(applied) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

fn missing_table(connection: &Connection) -> rusqlite::Result<Option<&'static str>> {
    for table in TABLES {
        if !connection.table_exists(None, table)? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

fn format_version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    usize::try_from(version).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, version))
}

fn foreign(path: &Path, why: &str) -> Refusal {
    Refusal::Foreign { path: path.to_owned(), why: why.to_owned() }
}

fn corrupt(path: &Path, why: String) -> Refusal {
    Refusal::Corrupt { path: path.to_owned(), why }
}

/// The first bytes of a file; none when there is no file.
fn read_start(path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut start = Vec::with_capacity(bytes);
    file.take(bytes as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// 0 when there is no file.
fn length(path: &Path) -> Result<u64, Refusal> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Refusal::failed(path, "measure it", error)),
    }
}

fn length_of_log(path: &Path) -> Result<u64, Refusal> {
    length(&beside(path, "-wal"))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes a rename in the folder of `path` outlive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

//! A store's file, looked at with SQLite alone.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// The rules of the storage format, asked with SQLite alone.
pub(crate) fn check_file(store: &Path) {
    let file = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let text = |sql: &str| file.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let gaps = "SELECT count(*) FROM (SELECT 1 FROM event GROUP BY entity
                HAVING min(sequence) != 1 OR max(sequence) != count(*))";
    assert_eq!(number(gaps), 0, "histories with a gap");
    let outrun = "SELECT count(*) FROM snapshot WHERE sequence >
                  (SELECT ifnull(max(sequence), 0) FROM event WHERE event.entity = snapshot.entity)";
    assert_eq!(number(outrun), 0, "snapshots that outrun their events");
}

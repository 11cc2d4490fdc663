//! How stores are named.

use cloudstate_proxy::storage::StoreUrl;

#[test]
fn a_url_is_read_and_written_the_same() {
    for (text, url) in [
        ("memory", StoreUrl::Memory),
        ("sqlite:store.db", StoreUrl::Sqlite("store.db".into())),
        ("sqlite:/var/lib/a b.db", StoreUrl::Sqlite("/var/lib/a b.db".into())),
        ("sqlite:C:\\data\\store.db", StoreUrl::Sqlite("C:\\data\\store.db".into())),
    ] {
        assert_eq!(text.parse(), Ok(url.clone()));
        assert_eq!(url.to_string(), text);
    }
}

#[test]
fn a_wrong_url_says_what_to_write() {
    for (text, advice) in [
        ("", "write sqlite:PATH or memory"),
        ("store.db", "write sqlite:PATH or memory"),
        ("mysql://localhost", "write sqlite:PATH or memory"),
        ("Memory", "write sqlite:PATH or memory"),
        ("sqlite", "write sqlite:PATH or memory"),
        ("sqlite:", "the path is missing; write for example sqlite:"),
        ("sqlite:///var/lib/store.db", "the path follows the colon, without //"),
        ("sqlite::memory:", "write memory"),
        ("sqlite:a\0b", "zero character"),
        ("postgres://localhost/db", "PostgreSQL is not available yet; use sqlite:PATH or memory"),
        ("postgresql://localhost/db", "PostgreSQL is not available yet"),
    ] {
        let error = text.parse::<StoreUrl>().unwrap_err().to_string();
        assert!(error.contains(advice) && error.contains(&format!("{text:?}")), "{text:?}: {error}");
    }
}

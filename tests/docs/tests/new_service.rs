//! The service of `docs/new-service.md`, made of the files as they stand there, outside of this workspace.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

const DOCUMENT: &str = include_str!("../../../docs/new-service.md");

/// The blocks that follow a paragraph that begins with a file's name: **`src/main.rs`**.
fn files(document: &str) -> BTreeMap<&str, &str> {
    let mut files = BTreeMap::new();
    for section in document.split("\n**`").skip(1) {
        let (name, rest) = section.split_once("`**").unwrap();
        let (_, block) = rest.split_once("\n```").unwrap();
        let (_, content) = block.split_once('\n').unwrap();
        let (content, _) = content.split_once("```\n").unwrap();
        files.insert(name, content);
    }
    files
}

#[test]
fn the_service_is_built_and_its_tests_pass() {
    let repository = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
    let files = files(DOCUMENT);
    let names: Vec<_> = files.keys().copied().collect();
    assert_eq!(
        names,
        [
            ".gitignore",
            "Cargo.toml",
            "Dockerfile",
            "Dockerfile.dockerignore",
            "build.rs",
            "proto/counters.proto",
            "proto/events.proto",
            "src/main.rs"
        ]
    );

    let folder = tempfile::tempdir().unwrap();
    for (name, content) in &files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.replace("../cloudstate/", &format!("{}/", repository.display()))).unwrap();
    }
    // The versions that are here already.
    fs::copy(repository.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline", "--color=never"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-service"))
        .env("RUSTFLAGS", "--deny warnings")
        // Built once and run once: this takes half the time.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("test result: ok. 2 passed"), "{said}");
}

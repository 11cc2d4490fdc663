//! Whatever a document calls the proof of what it says is there.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path};

fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).ok()
}

/// The file that a name such as `it/grpc` stands for.
fn source(module: &str) -> String {
    let (folder, rest) = module.split_once('/').unwrap_or((module, ""));
    match folder {
        "src" => format!("cloudstate-proxy/{module}.rs"),
        "crash-recovery" => format!("tests/crash-recovery/tests/it/{rest}.rs"),
        _ => format!("cloudstate-proxy/tests/{module}.rs"),
    }
}

fn scenarios() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/scenarios/proxy");
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    files.collect()
}

#[test]
fn every_difference_is_shown_by_a_test_that_exists() {
    let document = read("cloudstate-proxy/docs/differences.md").unwrap();
    let (tables, _) = document.split_once("## What is not better").unwrap();
    let (_, tables) = tables.split_once("## For clients").unwrap();
    let scenarios = scenarios();
    let mut rows = 0;
    for row in tables.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| The reference")) {
        let shown_by = row.rsplit('|').nth(1).unwrap();
        let mut names = 0;
        for name in shown_by.split(',').map(|name| name.trim().trim_matches('`')) {
            match name.split_once("::") {
                Some((module, test)) => {
                    let code = read(&source(module)).unwrap_or_else(|| panic!("no file for {name}"));
                    assert!(code.contains(&format!("fn {test}(")), "there is no test {name}");
                }
                None => assert!(
                    scenarios.lines().any(|line| line.split_whitespace().next() == Some(name)),
                    "there is no scenario {name:?} in: {row}"
                ),
            }
            names += 1;
        }
        assert!(names > 0, "nothing shows: {row}");
        rows += 1;
    }
    assert!(rows > 60, "only {rows} rows were read");
}

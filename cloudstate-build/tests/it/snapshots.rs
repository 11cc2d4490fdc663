//! Small `.proto` files in, expected Rust out. `tests/generated_code.rs` compiles what is expected.

use std::{fs, path::Path};

use cloudstate_build::configure;

use crate::support::Output;

#[track_caller]
fn check(case: &str, protos: &[&str]) {
    let folder = Path::new("tests/snapshots").join(case);
    let fresh = tempfile::tempdir().unwrap();
    let protos: Vec<_> = protos.iter().map(|proto| folder.join(proto)).collect();
    configure().out_dir(fresh.path()).compile_protos(&protos, &[&folder]).unwrap();

    let output = Output::read(fresh.path());
    let changed = output.overwrite_if_different(&folder.join("generated"));
    assert!(
        changed.is_empty(),
        "rewrote {changed:?} in {}; look at the difference and commit it",
        folder.display()
    );
}

#[test]
fn shop() {
    check("shop", &["shop.proto"]);
}

#[test]
fn awkward() {
    check("awkward", &["awkward.proto", "awkward/child.proto", "awkward/old.proto"]);
}

#[test]
fn unnamed() {
    check("unnamed", &["unnamed.proto", "named.proto"]);
}

#[test]
fn streamed() {
    check("streamed", &["streamed.proto"]);
}

/// Nothing in the folder of a case is left over.
#[test]
fn all_cases_are_checked() {
    let mut cases: Vec<_> =
        fs::read_dir("tests/snapshots").unwrap().map(|case| case.unwrap().file_name()).collect();
    cases.sort();
    assert_eq!(cases, ["awkward", "shop", "streamed", "unnamed"]);
}

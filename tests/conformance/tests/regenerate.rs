//! Keeps `src/generated/` equal to what the `.proto` texts of the models say.
//!
//! `cargo test -p cloudstate-conformance --test regenerate` rewrites the files and fails if it had to.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::{collections::BTreeMap, fs, path::Path};

use cloudstate_proto::sources;

#[test]
fn generated_code_is_current() {
    let changed = overwrite_if_different(&generate(), Path::new("src/generated"));
    assert!(changed.is_empty(), "rewrote {changed:?} in src/generated; commit the result");
}

fn generate() -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in sources::TCK.iter().chain(sources::FRONTEND) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let models: Vec<_> = sources::TCK.iter().map(|(path, _)| folder.path().join(path)).collect();
    let descriptors = protox::compile(models, [folder.path()]).unwrap();

    let out = tempfile::tempdir().unwrap();
    prost_build::Config::new()
        .out_dir(out.path())
        .enable_type_names()
        .type_name_domain(["."], "type.googleapis.com")
        .extern_path(".google.protobuf.Any", "::cloudstate_proto::Any")
        .compile_fds(descriptors)
        .unwrap();
    let mut fresh = read_folder(out.path());
    // Of the imports only options are used, which say nothing to the messages.
    fresh.retain(|name, _| name.starts_with("cloudstate.tck"));
    fresh
}

fn read_folder(folder: &Path) -> BTreeMap<String, String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// Makes `folder` hold exactly `files`; returns the names it had to change.
fn overwrite_if_different(files: &BTreeMap<String, String>, folder: &Path) -> Vec<String> {
    fs::create_dir_all(folder).unwrap();
    let present = read_folder(folder);
    let mut changed = Vec::new();
    for (name, text) in files {
        if present.get(name) != Some(text) {
            fs::write(folder.join(name), text).unwrap();
            changed.push(name.clone());
        }
    }
    for name in present.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(folder.join(name)).unwrap();
        changed.push(name.clone());
    }
    changed
}

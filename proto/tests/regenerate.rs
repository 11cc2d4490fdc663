//! Keeps `src/generated/` equal to what the `.proto` texts say. `cargo regenerate` runs exactly this.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::{collections::BTreeMap, fs, path::Path};

use prost_build::Config;
use protox::Compiler;

#[test]
fn generated_code_is_current() {
    let fresh = generate();
    let changed = overwrite_if_different(&fresh, Path::new("src/generated"));
    assert!(changed.is_empty(), "rewrote {changed:?} in src/generated; commit the result");
}

fn generate() -> BTreeMap<String, String> {
    let mut compiler = Compiler::new(["protocol", "frontend"]).unwrap();
    compiler.include_source_info(true).include_imports(true);
    for folder in ["protocol", "frontend"] {
        for file in proto_files(Path::new(folder)) {
            compiler.open_file(file).unwrap();
        }
    }
    let mut config = Config::new();
    config
        .bytes(["."])
        .enable_type_names()
        .type_name_domain(["."], "type.googleapis.com")
        .extern_path(".google.protobuf.Any", "crate::Any")
        .service_generator(
            tonic_prost_build::configure()
                .build_transport(false)
                .client_mod_attribute(".", r#"#[cfg(feature = "client")]"#)
                .server_mod_attribute(".", r#"#[cfg(feature = "server")]"#)
                .service_generator(),
        );
    let out = std::env::temp_dir().join(format!("cloudstate-proto-{}", std::process::id()));
    fs::create_dir_all(&out).unwrap();
    config.out_dir(&out).compile_fds(compiler.file_descriptor_set()).unwrap();
    let fresh = read_folder(&out);
    fs::remove_dir_all(&out).unwrap();
    // The well-known types come from prost-types; an empty file for their package says nothing.
    fresh.into_iter().filter(|(name, _)| !name.starts_with("google.protobuf")).collect()
}

fn proto_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(proto_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    found.sort();
    found
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

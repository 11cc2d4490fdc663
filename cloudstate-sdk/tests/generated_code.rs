//! The generated code under `tests/contract` is what `cloudstate-build` generates. A test binary of its own: it must run
//! where code that uses a change in a `.proto` does not compile yet.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::{env, fs, io};

const PROTOS: &[&str] = &[
    "tests/contract/proto/shoppingcart/shoppingcart.proto",
    "tests/contract/proto/shoppingcart/persistence/domain.proto",
    "tests/contract/proto/profiles/profiles.proto",
    "tests/contract/proto/sums/sums.proto",
    "tests/contract/proto/presence/presence.proto",
    "../proto/tck/cloudstate/tck/model/action.proto",
    "../proto/tck/cloudstate/tck/model/crdt.proto",
    "../proto/tck/cloudstate/tck/model/eventlogeventing.proto",
    "../proto/tck/cloudstate/tck/model/eventsourced.proto",
    "../proto/tck/cloudstate/tck/model/valueentity.proto",
];
const INCLUDES: &[&str] = &["tests/contract/proto", "../proto/tck"];

#[test]
fn generated_code_is_current() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/generated");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    fs::create_dir_all(&fresh).unwrap();
    fs::create_dir_all(&committed).unwrap();
    cloudstate_build::configure().out_dir(&fresh).compile_protos(PROTOS, INCLUDES).unwrap();
    let changed = overwrite_if_different(&fresh, &committed).unwrap();
    assert!(changed.is_empty(), "regenerated {changed:?}; commit the result");
}

fn overwrite_if_different(fresh: &Path, committed: &Path) -> io::Result<Vec<String>> {
    let mut changed = Vec::new();
    for file in fs::read_dir(fresh)? {
        let file = file?;
        let (new, target) = (fs::read(file.path())?, committed.join(file.file_name()));
        if fs::read(&target).ok().as_ref() != Some(&new) {
            fs::write(target, new)?;
            changed.push(file.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(changed)
}

//! What users see when they make a mistake: each file under `tests/ui/fail` makes one, and is named after it.
//!
//! After changing a sentence, accept the new output with `TRYBUILD=overwrite cargo test -p cloudstate-derive --test ui`.

use std::fs;

/// Where more than one error cannot be helped.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("several_mistakes", "each is reported"),
    ("no_service", "nothing tells which service the handlers belong to, so they are reported too"),
    ("apply_forgotten", "the signature of every handler names the entity's error type"),
    ("value_error_forgotten", "the signature of every handler names the entity's error type"),
    ("action_service_forgotten", "the signature of every handler names the action's error type"),
    ("value_state_behind_an_alias", "each handler that stores a message is reported, too"),
    ("action_not_sync", "the future of every handler shares the action"),
];

#[test]
fn mistakes_are_explained_each_by_one_error() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.pass("tests/ui/pass/*.rs");
    // Runs them.
    drop(cases);
    for file in fs::read_dir("tests/ui/fail").unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy();
        let is_exception = EXCEPTIONS.iter().any(|(exception, _)| *exception == name);
        if path.extension().is_none_or(|extension| extension != "stderr") || is_exception {
            continue;
        }
        let output = fs::read_to_string(&path).unwrap();
        let errors: Vec<_> = output.lines().filter(|line| line.starts_with("error")).collect();
        assert_eq!(errors.len(), 1, "{}: {errors:#?}", path.display());
    }
}

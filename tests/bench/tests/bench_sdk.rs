//! The program runs and measures something; how much is nobody's promise.

use std::process::{Command, Output};

fn bench_sdk(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench-sdk")).args(arguments).output().expect("the program starts")
}

/// The name that each line begins with, and its numbers.
fn lines(arguments: &[&str]) -> Vec<(String, Vec<f64>)> {
    let output = bench_sdk(arguments);
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| {
        let (name, figures) = line.split_once("  ").expect("a name and figures");
        let numbers = figures.split_whitespace().map(|word| word.trim_end_matches("/s"));
        (name.to_owned(), numbers.filter_map(|word| word.parse().ok()).collect())
    };
    printed.lines().map(line).collect()
}

#[test]
fn prints_a_line_for_each_kind_and_number_of_entities() {
    let lines = lines(&["--seconds", "0.1", "--rounds", "1", "--entities", "1,101", "--idle", "101"]);
    let (idle, speeds) = lines.split_last().expect("some lines");
    let printed: Vec<_> = speeds.iter().map(|(name, numbers)| (name.as_str(), numbers[0])).collect();
    let kinds = ["event sourced", "value", "crdt", "action", "streamed action"];
    let expected: Vec<_> = kinds.iter().flat_map(|kind| [(*kind, 1.0), (*kind, 101.0)]).collect();
    assert_eq!(printed, expected);
    for (name, numbers) in speeds {
        let [entities, bare, sdk, p50, p99, ratio] = numbers[..] else { panic!("{name}: {numbers:?}") };
        assert!(entities > 0.0 && p50 > 0.0 && p99 > 0.0, "{name}: {numbers:?}");
        // On a busy machine there may be no call in a second, and the ratio may be anything.
        assert!(bare >= 0.0 && sdk >= 0.0 && ratio >= 0.0, "{name}: {numbers:?}");
    }
    let (name, numbers) = idle;
    assert_eq!(name, "idle");
    // The difference may be anything, with so few streams.
    assert!(numbers.len() == 4 && numbers[0] == 101.0 && numbers[1] > 0.0 && numbers[2] > 0.0, "{numbers:?}");
}

#[test]
fn measures_only_what_is_asked_for() {
    let lines = lines(&["--only", "crdt,value", "--seconds", "0.1", "--rounds", "1", "--entities", "2"]);
    let names: Vec<_> = lines.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["value", "crdt"]);
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, explanation) in [
        (["--seconds", "0"], "expected a number from 0.1 to 3600"),
        (["--rounds", "0"], "0 is not in 1..=1000"),
        (["--entities", "none"], "invalid digit"),
        (["--only", "speed"], "event-sourced, value, crdt, action, streamed-action, idle"),
    ] {
        let output = bench_sdk(&arguments);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && printed.contains(explanation), "{arguments:?}: {printed}");
    }
}

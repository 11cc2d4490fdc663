//! The program runs and measures something; how much is nobody's promise.

use std::process::{Command, Output};

fn bench_sdk(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench-sdk")).args(arguments).output().expect("the program starts")
}

#[test]
fn prints_a_line_for_each_number_of_entities() {
    let output = bench_sdk(&["--seconds", "0.2", "--rounds", "1", "--entities", "1,101"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let numbers: Vec<Vec<f64>> = printed
        .lines()
        .map(|line| {
            line.split_whitespace().filter_map(|word| word.trim_end_matches("/s").parse().ok()).collect()
        })
        .collect();
    let entities: Vec<_> = numbers.iter().map(|line| line[0]).collect();
    assert_eq!(entities, [1.0, 101.0], "{printed}");
    assert!(
        numbers.iter().all(|line| line.len() == 6 && line.iter().all(|number| *number > 0.0)),
        "{printed}"
    );
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, explanation) in [
        (["--seconds", "0"], "expected a number from 0.1 to 3600"),
        (["--rounds", "0"], "0 is not in 1..=1000"),
        (["--entities", "none"], "invalid digit"),
    ] {
        let output = bench_sdk(&arguments);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && printed.contains(explanation), "{arguments:?}: {printed}");
    }
}

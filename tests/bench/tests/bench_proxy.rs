//! The program runs and measures something; how much is nobody's promise.

use std::process::{Command, Output};

fn bench_proxy(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench-proxy")).args(arguments).output().expect("the program starts")
}

#[test]
fn prints_a_line_for_each_store_frontend_and_number_of_connections() {
    let output =
        bench_proxy(&["--seconds", "0.1", "--rounds", "1", "--connections", "1,17", "--starts", "2"]);
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let beginnings = [
        "http  durable  connections 1 ",
        "http  durable  connections 17 ",
        "grpc  durable  connections 1 ",
        "grpc  durable  connections 17 ",
        "load  durable  resident relay ",
        "http  memory   connections 1 ",
        "http  memory   connections 17 ",
        "grpc  memory   connections 1 ",
        "grpc  memory   connections 17 ",
        "load  memory   resident relay ",
        "start to first answer ",
    ];
    assert_eq!(printed.lines().count(), beginnings.len(), "{printed}");
    for (line, beginning) in printed.lines().zip(beginnings) {
        assert!(line.starts_with(beginning), "{line:?} is not {beginning:?}");
        let words = line.split_whitespace().map(|word| word.trim_end_matches("/s"));
        let numbers: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
        assert!(numbers.len() >= 2 && numbers.iter().all(|number| *number > 0.0), "{line}");
    }
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, explanation) in [
        (["--seconds", "0"], "expected a number from 0.1 to 3600"),
        (["--connections", "none"], "invalid digit"),
        (["--only", "speed"], "durable, memory, start"),
    ] {
        let output = bench_proxy(&arguments);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && printed.contains(explanation), "{arguments:?}: {printed}");
    }
}

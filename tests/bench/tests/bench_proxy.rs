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
        let words: Vec<_> = line.split_whitespace().collect();
        let numbers = words.iter().filter(|word| word.parse::<f64>().is_ok()).count();
        assert!(numbers >= 2, "{line}");
        // On a busy machine there may be no call in a second, and the ratio may be anything.
        let zeros = words.windows(2).filter(|two| two[0] != "ratio" && two[1].parse() == Ok(0.0)).count();
        assert_eq!(zeros, 0, "{line}");
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

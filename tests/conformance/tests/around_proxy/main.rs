//! The kit around this repository's proxy: with scripts, with the model services behind, and with something in between
//! that breaks one rule at a time.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod around;
mod faults;
#[path = "../it/kit.rs"]
#[expect(dead_code, reason = "what tests a service is for the others")]
mod kit;
mod spoil;

use around::{Around, held_address, models};
use kit::DEADLINE;

const GAPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/known_gaps_of_proxy.txt");

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_passes() {
    let run = Around::default().play(&["--known-gaps", GAPS, "--deadline", DEADLINE]).await;
    assert_eq!((run.failed(), run.code), ([].into(), 0), "{}{}", run.stderr, run.stdout);
    assert!(
        run.stdout.contains("  in all                      29       29        0        0"),
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_passes_without_extensions() {
    let only = ["--only", "PX-ACT-C06", "--only", "PX-ACT-C07", "--only", "PX-ACT-C08"];
    let arguments = [&["--without-extensions", "--deadline", DEADLINE], &only[..]].concat();
    let run = Around::default().play(&arguments).await;
    assert_eq!(run.last_line(), "2 passed, 0 failed, 1 skipped", "{}{}", run.stderr, run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_behind_the_proxy_pass() {
    let models = models().await.to_string();
    let run =
        Around::default().play(&["--service", &models, "--known-gaps", GAPS, "--deadline", DEADLINE]).await;
    assert_eq!((run.failed(), run.code), ([].into(), 0), "{}{}", run.stderr, run.stdout);
    assert!(
        run.stdout.contains("  in all                      29       29        0        0"),
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_never_comes_is_not_waited_for_for_ever() {
    let run = kit::run(&["proxy", "--listen", "127.0.0.1:0", "--wait", "0.1"]).await;
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("no proxy has discovered the user function on port "), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_serves_no_clients_is_told() {
    let (nobody, _held) = held_address();
    // The proxy has to find its user function in that time.
    let run = Around { at: Some(nobody), ..Around::default() }.play(&["--wait", "15"]).await;
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains(&format!("the proxy at {nobody} serves no HTTP: ")), "{}", run.stderr);
}

//! `cloudstate proxy` as its operator sees it: log, signals, exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, ChildStderr, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A proxy whose user function never comes, and its log.
fn waiting_proxy(arguments: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut proxy = Command::new(env!("CARGO_BIN_EXE_cloudstate"))
        .args(["proxy", "--store=memory", "--user-function=127.0.0.1:1"])
        .args(arguments)
        .envs([("HTTP_PORT", "0"), ("MANAGEMENT_PORT", "0")])
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(proxy.stderr.take().unwrap());
    (proxy, log)
}

/// Reads on to a line that contains `text`; what came before it.
#[track_caller]
fn read_to(log: &mut BufReader<ChildStderr>, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        assert!(log.read_line(&mut read).unwrap() > 0, "the log has no {text:?} but:\n{read}");
    }
    read
}

#[test]
fn a_signal_stops_it_gracefully() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut proxy, mut log) = waiting_proxy(&[]);
        read_to(&mut log, "waiting for the user function at 127.0.0.1:1");
        kill(Pid::from_raw(proxy.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(proxy.wait().unwrap().code(), Some(0), "{signal}");
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        assert!(!rest.contains("ERROR") && !rest.contains("WARN"), "a stop is no trouble: {rest}");
    }
}

#[test]
fn arguments_of_the_reference_without_effect_are_warnings() {
    let (mut proxy, mut log) = waiting_proxy(&["-Dakka.loglevel=DEBUG", "-Dconfig.resource=in-memory.conf"]);
    let before = read_to(&mut log, "waiting for the user function");
    assert_eq!(before.matches("WARN").count(), 1, "{before}");
    assert!(before.contains("-Dakka.loglevel has no effect"), "{before}");
    proxy.kill().unwrap();
    proxy.wait().unwrap();
}

#[test]
fn a_taken_port_is_an_error_that_names_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for flag in ["--listen", "--management"] {
        let (mut proxy, mut log) = waiting_proxy(&[&format!("{flag}={address}")]);
        assert_eq!(proxy.wait().unwrap().code(), Some(1));
        let said = read_to(&mut log, "error: ");
        assert!(said.contains(&address.to_string()), "{said}");
        assert!(said.contains(&format!("choose another address with {flag}")), "{said}");
    }
}

#[test]
fn the_log_can_be_json() {
    for arguments in [&["--log-format=json"][..], &["--log-format", "json", "-Dakka.loglevel=DEBUG"]] {
        let (mut proxy, mut log) = waiting_proxy(arguments);
        let read = read_to(&mut log, "waiting for the user function");
        proxy.kill().unwrap();
        proxy.wait().unwrap();
        for line in read.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            for field in ["timestamp", "level", "message", "target"] {
                assert!(line[field].is_string(), "no {field} in {line}");
            }
        }
    }
}

#[test]
fn a_collector_that_is_no_url_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_cloudstate"))
        .args(["proxy", "--store=memory", "--management=off", "--listen=127.0.0.1:0", "--otlp=not a url"])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(
        printed.contains("cannot send traces to `not a url`") && printed.contains("http://127.0.0.1:4317"),
        "{printed}"
    );
}

//! What people type, and what they are told.

use std::{io::Write as _, net::SocketAddr};

use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpSocket};

use crate::{
    kit::{self, Run},
    service::{Fault, Service},
};

#[tokio::test]
async fn a_right_service_passes_all_that_it_offers() {
    let service = Service::start(None).await;
    let run = kit::test(service.address, &[]).await;
    assert_eq!(run.failed(), [].into(), "{}", run.stdout);
    assert_eq!(run.code, 0);
    assert_eq!(run.last_line(), "119 passed, 0 failed, 132 skipped");
    let expected = [
        "SKIPPED 2 of crdt: discovery does not offer cloudstate.tck.model.crdt.CrdtConfigured",
        "SKIPPED 116 of crdt: discovery does not offer cloudstate.tck.model.crdt.CrdtTckModel, \
         cloudstate.tck.model.crdt.CrdtTwo",
        "  discovery                    1        1        0        0  reduced: no proxy is in between",
        "  event-sourced               21       21        0        0",
        "  in all                     157       75        0       82",
    ];
    for line in expected {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
}

#[tokio::test]
async fn a_failure_shows_what_was_expected_and_what_came() {
    let service = Service::start(Some(Fault::SideEffectsAsynchronous)).await;
    let run = kit::test(service.address, &["--only", "ES-14"]).await;
    assert_eq!(
        run.stdout,
        r#"FAILED ES-14  synchronous side effect
    open a stream
    > init
    > 1 [fx! id]
    the message is not the expected one:
    expected < 1 reply ""; fx[!id]
        reply {
          command_id: 1
          client_action {
            reply {
              payload {
                [type.googleapis.com/cloudstate.tck.model.Response] {}
              }
            }
          }
          side_effects: [{
            service_name: "cloudstate.tck.model.EventSourcedTwo"
            command_name: "Call"
            payload {
              [type.googleapis.com/cloudstate.tck.model.Request] {
                id: "entity-14"
              }
            }
      !     synchronous: true
          }]
        }
    received
        reply {
          command_id: 1
          client_action {
            reply {
              payload {
                [type.googleapis.com/cloudstate.tck.model.Response] {}
              }
            }
          }
          side_effects: [{
            service_name: "cloudstate.tck.model.EventSourcedTwo"
            command_name: "Call"
            payload {
              [type.googleapis.com/cloudstate.tck.model.Request] {
                id: "entity-14"
              }
            }
          }]
        }

reference scenarios    scenarios   passed   failed  skipped
  event-sourced                1        0        1        0
  in all                       1        0        1        0

0 passed, 1 failed, 0 skipped
"#
    );
    assert_eq!(run.code, 1);
}

#[tokio::test]
async fn payloads_that_differ_in_their_bytes_only_are_shown_as_bytes() {
    let service = Service::start(Some(Fault::DefaultsWritten)).await;
    let run = kit::test(service.address, &["--only", "ES-03"]).await;
    assert!(run.stdout.contains(r#"      !         value: "\n\000""#), "{}", run.stdout);
}

#[tokio::test]
async fn a_service_that_stalls_is_a_failure_with_a_sentence() {
    let service = Service::start(Some(Fault::StallsOnForwards)).await;
    let run = kit::test(service.address, &["--only", "ES-11", "--deadline", "5"]).await;
    assert!(run.stdout.contains("    no message within 5s\n    expected < 1 forward id"), "{}", run.stdout);
    assert_eq!(run.code, 1);
}

#[tokio::test]
async fn only_what_is_asked_for() {
    let service = Service::start(None).await;
    for (only, last_line) in [
        (&["--only", "value-entity"][..], "32 passed, 0 failed, 0 skipped"),
        (&["--only", "ve"], "32 passed, 0 failed, 0 skipped"),
        (&["--only", "ES-04", "--only", "es-x02"], "2 passed, 0 failed, 0 skipped"),
        (&["--only", "crdt"], "0 passed, 0 failed, 118 skipped"),
        (&["--only", "reference"], "75 passed, 0 failed, 82 skipped"),
    ] {
        let run = kit::test(service.address, only).await;
        assert_eq!((run.last_line(), run.code), (last_line, 0), "{only:?}");
    }
}

fn assert_says(run: &Run, code: i32, sentence: &str) {
    assert_eq!((run.stderr.as_str(), run.code), (format!("cloudstate-tck: {sentence}\n").as_str(), code));
    assert_eq!(run.stdout, "");
}

#[tokio::test]
async fn what_there_is_not_cannot_be_asked_for() {
    let run = kit::run(&["service", "--only", "ES-99"]).await;
    assert_says(
        &run,
        2,
        "`ES-99` is neither an area (discovery, action, value-entity, event-sourced, crdt, eventing) nor the id of a \
         scenario; `cloudstate-tck list` lists them",
    );
}

#[tokio::test]
async fn wrong_arguments_are_usage_errors() {
    for arguments in [
        &["service", "--at", "nowhere"][..],
        &["service", "--at", ":8080"],
        &["service", "--at", "http://127.0.0.1:8080"],
        &["service", "--deadline", "-1"],
        &["service", "--deadline", "soon"],
        &["service", "--deadline", "0"],
        &["service", "--at-once", "0"],
        &["proxy", "--at", "nowhere"],
        &["proxy", "--listen", "8090"],
        &["proxy", "--service", ""],
        &["proxy", "--offer", "tables"],
        &["proxy", "--only", "PX-ES-99"],
        &["elsewhere"],
        &[],
    ] {
        let run = kit::run(arguments).await;
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn everything_is_listed() {
    let run = kit::run(&["list"]).await;
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with("DISC-01        proxy and service know each other\n"), "{}", run.stdout);
    let (around_proxies, of_services): (Vec<_>, Vec<_>) =
        run.stdout.lines().partition(|line| line.starts_with("PX-"));
    assert_eq!(of_services.len(), 251);
    assert!(around_proxies.iter().any(|line| line.starts_with("PX-ES-3        failures")), "{}", run.stdout);
}

#[tokio::test]
async fn nothing_listens() {
    // Bound, so that nobody else comes to listen there.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = silent.local_addr().unwrap();
    let run = kit::test(address, &[]).await;
    assert_eq!(run.code, 1);
    let beginning = format!("cloudstate-tck: cannot connect to {address}: ");
    assert!(run.stderr.starts_with(&beginning) && run.stderr.lines().count() == 1, "{}", run.stderr);
}

/// Takes connections, and says nothing to any of them.
async fn silence() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok(connection) = listener.accept().await {
            connections.push(connection);
        }
    });
    address
}

#[tokio::test]
async fn something_listens_and_says_nothing() {
    let address = silence().await;
    let run = kit::test(address, &["--deadline", "1"]).await;
    assert_says(&run, 1, &format!("the service at {address} does not answer discover within 1s"));
}

#[tokio::test]
async fn a_service_that_is_still_starting_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let run = tokio::spawn(async move { kit::test(address, &["--wait", "60", "--only", "DISC-01"]).await });
    // The first attempt finds nobody.
    drop(listener.accept().await.unwrap());
    let _service = Service::serve(listener, None);
    assert_eq!(run.await.unwrap().last_line(), "1 passed, 0 failed, 0 skipped");
}

/// A list of known gaps, as a file.
fn gaps(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn known_gaps_are_tolerated_and_told() {
    let service = Service::start(Some(Fault::SideEffectsAsynchronous)).await;
    let gaps = gaps("# comment\n\nES-14  flags are lost\nVE-13  flags are lost\n");
    let run = kit::test(service.address, &["--known-gaps", gaps.path().to_str().unwrap()]).await;
    assert_eq!((run.last_line(), run.code), ("117 passed, 0 failed, 134 skipped", 0));
    assert!(
        run.stdout.contains("KNOWN GAP ES-14  synchronous side effect: flags are lost\n"),
        "{}",
        run.stdout
    );
}

#[tokio::test]
async fn a_closed_gap_must_leave_the_list() {
    let service = Service::start(None).await;
    let gaps = gaps("ES-14  flags are lost");
    let arguments = ["--only", "ES", "--known-gaps", gaps.path().to_str().unwrap()];
    let run = kit::test(service.address, &arguments).await;
    assert_eq!((run.failed(), run.code), (["ES-14"].into(), 1));
    assert!(run.stdout.contains("passes: take it off the list of known gaps"), "{}", run.stdout);
}

#[tokio::test]
async fn a_wrong_list_of_known_gaps_is_a_usage_error() {
    for (text, problem) in [
        ("ES-14\n", "line 1: ES-14 needs a reason after the id"),
        ("\nES-99 why\n", "line 2: ES-99 is not the id of a scenario"),
        ("ES-14 why\nES-14 why\n", "line 2: ES-14 is listed twice"),
    ] {
        let gaps = gaps(text);
        let path = gaps.path().to_str().unwrap();
        let run = kit::run(&["service", "--known-gaps", path]).await;
        assert_says(&run, 2, &format!("{path}: {problem}"));
    }
}

#[tokio::test]
async fn a_missing_list_of_known_gaps_is_a_usage_error() {
    let run = kit::run(&["service", "--known-gaps", "no/such/file"]).await;
    assert_says(&run, 2, "cannot read no/such/file: No such file or directory (os error 2)");
}

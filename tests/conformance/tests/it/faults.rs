//! The kit can fail: each fault fails the scenarios that speak about it, and no others.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};

use crate::{
    kit::{self, AT_ONCE, IN_VAIN},
    service::{
        Fault::{self, *},
        Service,
    },
};

/// Every conversation with an event sourced entity that has to end as it should.
const EVENT_SOURCED_STREAMS: &str = "ES-03 ES-04 ES-05 ES-06 ES-07 ES-08 ES-09 ES-10 ES-11 ES-12 ES-13 ES-14 ES-15 \
     ES-16 ES-17 ES-18 ES-19 ES-20 ES-21 ES-X02 ES-X03 ES-X04 ES-X05 ES-X06";

async fn check(faults: &[(Fault, &str)]) {
    let checked = stream::iter(faults).for_each_concurrent(AT_ONCE, |(fault, expected)| async move {
        let service = Service::start(Some(*fault)).await;
        let run = kit::test(service.address, &["--at-once", "32", "--deadline", IN_VAIN]).await;
        let expected: BTreeSet<_> = expected.split_whitespace().collect();
        assert_eq!(run.failed(), expected, "{fault:?}\n{}", run.stdout);
        assert_eq!(run.code, i32::from(!expected.is_empty()), "{fault:?}");
        let in_all = format!(" passed, {} failed, ", expected.len());
        assert!(run.last_line().contains(&in_all), "{fault:?}: {}", run.last_line());
    });
    checked.await;
}

#[tokio::test]
async fn of_replies() {
    check(&[
        (EmptyMetadataOnForwards, "ES-10 ES-11 ES-12 ES-15 ES-X03 VE-14 VE-15 VE-16"),
        (
            WrongTypeUrl,
            "ES-04 ES-05 ES-06 ES-09 ES-10 ES-11 ES-12 ES-13 ES-17 ES-19 ES-20 ES-X02 ES-X03 ES-X10",
        ),
        (DefaultsWritten, "ES-03 ES-14 ES-16 ES-X04 ES-X05 ES-X06"),
        (SideEffectsReversed, "ES-16 ES-17 VE-10 VE-12"),
        (SideEffectsAsynchronous, "ES-14 VE-13"),
        (StallsOnForwards, "ES-10 ES-11 ES-12 ES-15 ES-X03"),
        (AnyEntity, "ES-X10 VE-X11"),
    ])
    .await;
}

#[tokio::test]
async fn of_snapshots_and_sequences() {
    check(&[
        (NoSnapshots, "ES-06 ES-09 ES-12 ES-17 ES-20 ES-X02 ES-X03"),
        // Where a service goes back by itself, the snapshot of ES-20 falls on the fifth command as well.
        (SnapshotsByCommands, "ES-06 ES-09 ES-12 ES-17 ES-X02 ES-X03"),
        (SnapshotsBeforeEvents, "ES-06 ES-09 ES-12 ES-17 ES-20 ES-X02 ES-X03"),
        (SnapshotIgnored, "ES-07 ES-08 ES-09 ES-X03"),
        (SequenceNotRestored, "ES-X03"),
    ])
    .await;
}

#[tokio::test]
async fn of_failures() {
    check(&[
        // Not a fault: the other form that is tolerated.
        (RestartsAfterEmit, ""),
        (AlwaysRestarts, "ES-18 ES-19 ES-21"),
        (NoRollback, "ES-20 ES-X04 VE-X02 VE-X03"),
        (SideEffectsOfFailedCommands, "ES-21 ES-X04 VE-19"),
        (FailuresOfTheStream, "ES-18 ES-19 ES-20 ES-21 ES-X04 VE-17 VE-18 VE-19 VE-X02 VE-X03 VE-X04"),
        (FailuresWithoutCommandId, "ES-18 ES-19 ES-20 ES-21 ES-X04"),
        (BreaksOnFailures, "ES-18 ES-19 ES-20 ES-21 ES-X04"),
    ])
    .await;
}

#[tokio::test]
async fn of_the_end_of_streams() {
    check(&[
        (NeverEnds, EVENT_SOURCED_STREAMS),
        (EndsWithError, EVENT_SOURCED_STREAMS),
        (ExtraMessageAtTheEnd, EVENT_SOURCED_STREAMS),
    ])
    .await;
}

#[tokio::test]
async fn of_values() {
    check(&[(EmptyValueState, "VE-03 VE-10 VE-13"), (FirstValueActionWins, "VE-06 VE-07 VE-08 VE-12")]).await;
}

#[tokio::test]
async fn of_actions() {
    check(&[
        (ExtraActionResponse, "ACT-27 ACT-28 ACT-29 ACT-30 ACT-X06 ACT-X12"),
        (ActionFailuresWithCommandId, "ACT-14 ACT-15 ACT-16 ACT-17 ACT-25 ACT-26 ACT-30 ACT-34"),
        (ActionSideEffectsDroppedOnFailure, "ACT-15 ACT-16 ACT-17 ACT-26 ACT-30 ACT-34"),
        (ActionFirstGroupOnly, "ACT-19 ACT-22 ACT-24 ACT-26 ACT-X03 ACT-X05"),
    ])
    .await;
}

#[tokio::test]
async fn of_discovery() {
    check(&[
        (NoPassivation, "ES-02 VE-02"),
        (WrongPersistenceId, "ES-01"),
        (WrongProtocolVersion, "DISC-01"),
        (ImportMissing, "DISC-X01"),
        (ServiceMissing, "DISC-01 VE-01 VE-02 VE-X01"),
        (OptionsLost, "ACT-X01 ES-X01 VE-X01"),
    ])
    .await;
}

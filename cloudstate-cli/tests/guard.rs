//! No process is left behind, however we end. Real processes throughout.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// A guard whose parent is this test.
struct Guard {
    process: Child,
    link: Option<UnixStream>,
    reports: BufReader<UnixStream>,
    folder: TempDir,
}

impl Guard {
    /// Runs `script` in a shell; `pids` is a file for it to write to.
    fn runs(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(DEADLINE)).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_cloudstate"))
            .args(["guard", "--", "sh", "-c", script])
            .current_dir(folder.path())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let reports = BufReader::new(ours.try_clone().unwrap());
        Self { process, link: Some(ours), reports, folder }
    }

    fn report(&mut self) -> String {
        let mut line = String::new();
        self.reports.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What the kernel does when our process ends.
    fn close_link(&mut self) {
        self.link.take().unwrap().shutdown(Shutdown::Both).unwrap();
    }

    fn pids(&self) -> Vec<i32> {
        pids(self.folder.path())
    }
}

const DEADLINE: Duration = Duration::from_secs(120);

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        sleep(Duration::from_millis(5));
    }
}

/// The two processes that a script names in the file `pids`.
fn pids(folder: &Path) -> Vec<i32> {
    let mut pids = Vec::new();
    until("the processes have started", || {
        let text = fs::read_to_string(folder.join("pids")).unwrap_or_default();
        if text.ends_with('\n') {
            pids = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        }
        pids.len() == 2
    });
    pids
}

/// A process that has ended but was not waited for yet, which is up to process 1, does not run.
fn runs(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_zombie = status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'));
    !is_zombie && kill(Pid::from_raw(pid), None).is_ok()
}

const WITH_GRANDCHILD: &str = "sleep 1000 & echo $$ $! > pids; wait";

#[test]
fn a_closed_link_ends_the_grandchildren_too() {
    let mut guard = Guard::runs(WITH_GRANDCHILD);
    let pids = guard.pids();
    assert_eq!(guard.report(), format!("started {}", pids[0]));
    guard.close_link();
    until("all have ended", || !pids.iter().any(|pid| runs(*pid)));
    assert!(guard.process.wait().unwrap().success());
}

#[test]
fn who_ignores_sigterm_is_killed() {
    let mut guard = Guard::runs(&format!("trap '' TERM; {WITH_GRANDCHILD}"));
    let pids = guard.pids();
    guard.close_link();
    until("all have ended", || !pids.iter().any(|pid| runs(*pid)));
    assert!(guard.process.wait().unwrap().success());
}

#[test]
fn a_command_that_ends_leaves_nothing_and_its_status_is_reported() {
    for (script, expected) in [
        ("sleep 1000 & echo $$ $! > pids; exit 3", "exited 3"),
        ("sleep 1000 & echo $$ $! > pids; kill -9 $$", "killed 9"),
    ] {
        let mut guard = Guard::runs(script);
        let pids = guard.pids();
        assert!(guard.report().starts_with("started "));
        assert_eq!(guard.report(), expected);
        until("all have ended", || !pids.iter().any(|pid| runs(*pid)));
    }
}

#[test]
fn ctrl_c_is_not_for_the_guard_but_sigterm_is() {
    let mut guard = Guard::runs(WITH_GRANDCHILD);
    let pids = guard.pids();
    let process = Pid::from_raw(guard.process.id().try_into().unwrap());
    kill(process, Signal::SIGINT).unwrap();
    kill(process, Signal::SIGTERM).unwrap();
    until("all have ended", || !pids.iter().any(|pid| runs(*pid)));
    assert!(guard.process.wait().unwrap().success(), "SIGINT ended the guard before it had done its work");
}

#[test]
fn a_command_that_cannot_run_is_reported() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let guard = Command::new(env!("CARGO_BIN_EXE_cloudstate"))
        .args(["guard", "--", "./no-such-command"])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn();
    let mut line = String::new();
    BufReader::new(ours).read_line(&mut line).unwrap();
    assert_eq!(line, "not-started No such file or directory (os error 2)\n");
    assert!(guard.unwrap().wait().unwrap().success());
}

/// The one that matters: nobody has a chance to clean up.
#[test]
fn sigkill_of_dev_ends_the_user_function() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Command::new(env!("CARGO_BIN_EXE_cloudstate"))
        .args(["dev", "--listen", "127.0.0.1:0", "--management", "off", "--store", "memory"])
        .args(["--", "sh", "-c", WITH_GRANDCHILD])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pids = pids(folder.path());
    dev.kill().unwrap();
    dev.wait().unwrap();
    until("all have ended", || !pids.iter().any(|pid| runs(*pid)));
}

//! The user function as `dev` sees it: a command behind its guard.

use std::{
    ffi::OsString,
    fmt, io,
    os::{fd::OwnedFd, unix::net},
    path::PathBuf,
    process::Stdio,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Take},
    net::UnixStream,
    process::{self, Command},
};

use super::guard::Report;

/// More than any report of the guard takes.
const LONGEST_CONVERSATION: u64 = 64 * 1024;

/// How user functions are started: always with the same address to listen on.
#[derive(Clone, Debug)]
pub(super) struct Launcher {
    /// The executable whose command `guard` is ours. Found once: it may be replaced while we run.
    guard: PathBuf,
    pub(super) port: u16,
}

impl Launcher {
    pub(super) fn new(port: u16) -> io::Result<Self> {
        Ok(Self { guard: std::env::current_exe()?, port })
    }

    /// Starts `command` with its guard.
    pub(super) async fn start(&self, command: &[OsString]) -> Result<Child, NotStarted> {
        let (ours, theirs) = net::UnixStream::pair().map_err(NotStarted::Guard)?;
        ours.set_nonblocking(true).map_err(NotStarted::Guard)?;
        let guard = Command::new(&self.guard)
            .args(["guard", "--"])
            .args(command)
            .env("HOST", "127.0.0.1")
            .env("PORT", self.port.to_string())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .process_group(0)
            .spawn()
            .map_err(NotStarted::Guard)?;
        let link = UnixStream::from_std(ours).map_err(NotStarted::Guard)?;
        let mut reports =
            Reports { lines: BufReader::new(link.take(LONGEST_CONVERSATION)), line: Vec::new() };
        match reports.next().await {
            Some(Report::Started(group)) => Ok(Child { guard, reports, group: Pid::from_raw(group) }),
            Some(Report::NotStarted(reason)) => Err(NotStarted::Command(reason)),
            _ => Err(NotStarted::Guard(io::Error::other("it ended at once"))),
        }
    }
}

/// Why there is no [`Child`].
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStarted {
    #[error("{0}")]
    Command(String),
    #[error("the guard process, which would end it with us, cannot be started: {0}")]
    Guard(io::Error),
}

/// A running user function. Dropped, it is ended by its guard within a few seconds.
#[derive(Debug)]
pub(super) struct Child {
    guard: process::Child,
    reports: Reports,
    group: Pid,
}

impl Child {
    /// The process, which leads a group of its own.
    pub(super) fn pid(&self) -> i32 {
        self.group.as_raw()
    }

    /// Waits until the user function and its process group have ended by themselves. May be cancelled.
    pub(super) async fn ended(&mut self) -> Ended {
        match self.reports.next().await {
            Some(Report::Exited(status)) => Ended::Exited(status),
            Some(Report::Killed(signal)) => Ended::Killed(signal),
            _ => {
                // The guard was killed: its duty falls to us.
                let _ = killpg(self.group, Signal::SIGKILL);
                Ended::Unknown
            }
        }
    }

    /// Ends the user function and its process group; takes a few seconds when it does not want to.
    pub(super) async fn stop(self) {
        let Self { mut guard, reports, .. } = self;
        drop(reports);
        // The guard's exit status says nothing.
        let _ = guard.wait().await;
    }
}

/// How a user function ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Exited(i32),
    Killed(i32),
    Unknown,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(status) => write!(f, "ended with exit status {status}"),
            Self::Killed(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "was killed by {signal}"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
            Self::Unknown => f.write_str("lost its guard process and was ended"),
        }
    }
}

/// What the guard writes.
#[derive(Debug)]
struct Reports {
    lines: BufReader<Take<UnixStream>>,
    /// The beginning of a line whose rest was not there yet when `next` was cancelled.
    line: Vec<u8>,
}

impl Reports {
    /// None at the end, and for what is not a report.
    async fn next(&mut self) -> Option<Report> {
        self.lines.read_until(b'\n', &mut self.line).await.ok()?;
        let line = std::mem::take(&mut self.line);
        std::str::from_utf8(&line).ok()?.trim_end().parse().ok()
    }
}

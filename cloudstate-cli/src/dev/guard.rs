//! The process between us and the user function: it ends the user function's process group when we end.
//!
//! Its stdin is one end of a socket whose other end we hold. The kernel closes ours however we end, SIGKILL included,
//! and the guard reads the end of the stream. On the same socket it reports, one line each, how the command started
//! ([`Report::Started`] or [`Report::NotStarted`]) and how it ended.
//!
//! Guard and command have a process group each, neither of them ours: a Ctrl-C in the terminal reaches us alone, and a
//! `kill -9` of our group leaves the guard to do its duty.

use std::{
    ffi::OsString,
    fmt,
    future::Future,
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::{net, process::ExitStatusExt},
    },
    process::{ExitStatus, Stdio},
    str::FromStr,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::AsyncReadExt,
    net::UnixStream,
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use crate::Error;

/// How long a process group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Run a command until stdin closes
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command until it ends by itself, our parent is gone, or somebody wants this process to end.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let link = net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    link.set_nonblocking(true)?;
    let mut reports = link.try_clone()?;
    let asked_to_end = asked_to_end(UnixStream::from_std(link)?)?;

    let (mut child, group) = match start(&arguments.command) {
        Ok(started) => started,
        Err(error) => {
            report(&mut reports, &Report::NotStarted(error.to_string()));
            return Ok(());
        }
    };
    report(&mut reports, &Report::Started(group.as_raw()));
    let ended = tokio::select! {
        ended = child.wait() => Some(ended?),
        () = asked_to_end => None,
    };
    let ended = end(&mut child, group, ended).await?;
    report(&mut reports, &Report::from(ended));
    Ok(())
}

/// What the guard tells about its command, as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// It runs, in the process group of this number.
    Started(i32),
    /// It could not be run, for this reason.
    NotStarted(String),
    /// It ended with this exit status.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(group) => write!(f, "started {group}"),
            Self::NotStarted(reason) => write!(f, "not-started {}", reason.replace('\n', " ")),
            Self::Exited(status) => write!(f, "exited {status}"),
            Self::Killed(signal) => write!(f, "killed {signal}"),
        }
    }
}

impl FromStr for Report {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (kind, rest) = line.split_once(' ').ok_or(())?;
        let number = || rest.parse().map_err(drop);
        match kind {
            "started" => Ok(Self::Started(number()?)),
            "not-started" => Ok(Self::NotStarted(rest.to_owned())),
            "exited" => Ok(Self::Exited(number()?)),
            "killed" => Ok(Self::Killed(number()?)),
            _ => Err(()),
        }
    }
}

impl From<ExitStatus> for Report {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Self::Killed(signal),
            None => Self::Exited(status.code().unwrap_or_default()),
        }
    }
}

/// Resolves when the other end of `link` is closed, or on SIGTERM or SIGHUP. From the call on, SIGINT is ignored.
fn asked_to_end(mut link: UnixStream) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let ignored = signal(SignalKind::interrupt())?;
    Ok(async move {
        let _ignored = ignored;
        // Nothing is ever sent to us: whatever this resolves to, our parent has ended or breaks the rules.
        tokio::select! {
            _ = link.read_u8() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

fn start(command: &[OsString]) -> io::Result<(Child, Pid)> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let child = Command::new(program).args(arguments).stdin(Stdio::null()).process_group(0).spawn()?;
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .ok_or_else(|| io::Error::other("it has no process id"))?;
    Ok((child, Pid::from_raw(pid)))
}

/// Ends what is left of the group: politely, then not.
async fn end(child: &mut Child, group: Pid, ended: Option<ExitStatus>) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + GRACE;
    let mut ended = ended;
    let _ = killpg(group, Signal::SIGTERM);
    while killpg(group, None).is_ok() {
        if Instant::now() > deadline {
            let _ = killpg(group, Signal::SIGKILL);
            break;
        }
        // A child that nobody waited for still counts as a member of its group.
        if ended.is_none() {
            ended = child.try_wait()?;
        }
        sleep(Duration::from_millis(10)).await;
    }
    match ended {
        Some(ended) => Ok(ended),
        None => child.wait().await,
    }
}

/// Nobody listens any more when we were asked to end; that is fine.
fn report(reports: &mut net::UnixStream, report: &Report) {
    let _ = writeln!(reports, "{report}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_read_as_they_were_written() {
        for report in [
            Report::Started(4711),
            Report::NotStarted("No such file or directory (os error 2)".to_owned()),
            Report::Exited(101),
            Report::Killed(9),
        ] {
            assert_eq!(report.to_string().parse(), Ok(report));
        }
        for line in ["", "started", "started x", "exited", "sung 3"] {
            assert_eq!(line.parse::<Report>(), Err(()), "{line:?}");
        }
    }
}

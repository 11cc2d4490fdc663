use std::{collections::BTreeSet, net::SocketAddr};

use tokio::process::Command;

/// What the program said.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `cloudstate-tck` to its end.
pub(crate) async fn run(arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_cloudstate-tck")).args(arguments).output().await.unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// More than a message ever takes on a busy machine.
pub(crate) const DEADLINE: &str = "60";

/// The same where some messages never come, and so long is waited for each.
pub(crate) const IN_VAIN: &str = "15";

/// So many runs in which most of the time goes by in waiting.
pub(crate) const AT_ONCE: usize = 4;

/// Runs it against a service.
pub(crate) async fn test(address: SocketAddr, arguments: &[&str]) -> Run {
    let address = address.to_string();
    let deadline = match arguments.contains(&"--deadline") {
        true => &[][..],
        false => &["--deadline", DEADLINE],
    };
    run(&[&["service", "--at", &address], deadline, arguments].concat()).await
}

impl Run {
    /// The ids of the scenarios that failed.
    pub(crate) fn failed(&self) -> BTreeSet<&str> {
        let lines = self.stdout.lines().filter_map(|line| line.strip_prefix("FAILED "));
        lines.filter_map(|line| line.split(' ').next()).collect()
    }

    pub(crate) fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }
}

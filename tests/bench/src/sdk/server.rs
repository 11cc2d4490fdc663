//! The two servers, and the processes they run in.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use cloudstate_sdk::{CloudState, Server};
use tokio::net::TcpListener;

use crate::sdk::{
    Error, bare,
    kinds::{action, crdt, event_sourced, value},
};

/// Which server.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Side {
    /// Tonic alone.
    Bare,
    /// Tonic and the SDK.
    Sdk,
}

/// Serves all kinds on any free port, which it prints, until killed.
pub(crate) async fn serve(side: Side) -> Result<(), Error> {
    match side {
        Side::Bare => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?.port());
            bare::serve(listener).await
        }
        Side::Sdk => {
            let server = bind_sdk().await?;
            println!("{}", server.address().port());
            Ok(server.serve().await?)
        }
    }
}

pub(crate) async fn bind_sdk() -> Result<Server, cloudstate_sdk::Error> {
    CloudState::new()
        .register::<event_sourced::Counter>()
        .register::<value::Counter>()
        .register::<crdt::Counter>()
        .register::<action::Sums>()
        .address("127.0.0.1", 0)
        .bind()
        .await
}

/// A server in a process of its own, which ends when this is dropped.
pub(crate) struct Process {
    pub(crate) port: u16,
    child: Child,
}

impl Process {
    pub(crate) fn start(side: Side) -> Result<Self, Error> {
        let name = match side {
            Side::Bare => "bare",
            Side::Sdk => "sdk",
        };
        let mut child =
            Command::new(env::current_exe()?).args(["--serve", name]).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take();
        // From here on, whatever fails, the process ends with the value.
        let mut process = Self { port: 0, child };
        let mut line = String::new();
        BufReader::new(stdout.ok_or("no standard output")?).read_line(&mut line)?;
        process.port = line.trim().parse().map_err(|_| format!("the {name} server does not start"))?;
        Ok(process)
    }

    /// Resident memory that no file is behind: heap and stacks, without the program's own pages. In bytes.
    pub(crate) fn memory(&self) -> Result<u64, Error> {
        // Unlike `statm`, whose counters lag behind by some pages for each thread, this walks the page tables.
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let kibibytes = text.lines().find_map(|line| {
            line.strip_prefix("Anonymous:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        });
        Ok(kibibytes.ok_or_else(|| format!("{path} does not say how much is anonymous"))? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

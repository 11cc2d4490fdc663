//! The two servers, and the processes they run in.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use cloudstate_sdk::CloudState;
use tokio::net::TcpListener;

use crate::{Error, bare, counter::Counter};

/// Which server.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Tonic alone.
    Bare,
    /// Tonic and the SDK.
    Sdk,
}

/// Serves on any free port, which it prints, until killed.
pub(crate) async fn serve(kind: Kind) -> Result<(), Error> {
    match kind {
        Kind::Bare => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?.port());
            bare::serve(listener).await
        }
        Kind::Sdk => {
            let server = CloudState::new().register::<Counter>().address("127.0.0.1", 0).bind().await?;
            println!("{}", server.address().port());
            Ok(server.serve().await?)
        }
    }
}

/// A server in a process of its own, which ends when this is dropped.
pub(crate) struct Process {
    pub(crate) port: u16,
    child: Child,
}

impl Process {
    pub(crate) fn start(kind: Kind) -> Result<Self, Error> {
        let name = match kind {
            Kind::Bare => "bare",
            Kind::Sdk => "sdk",
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
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

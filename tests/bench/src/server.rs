//! The two servers, and the processes they run in.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command},
};

use cloudstate_sdk::CloudState;

use crate::{Error, bare, counter::Counter};

/// Which server.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Tonic alone.
    Bare,
    /// Tonic and the SDK.
    Sdk,
}

/// Serves until killed, on `HOST`:`PORT`.
pub(crate) async fn serve(kind: Kind) -> Result<(), Error> {
    match kind {
        Kind::Bare => {
            let address: SocketAddr = format!("{}:{}", env::var("HOST")?, env::var("PORT")?).parse()?;
            bare::serve(address).await
        }
        Kind::Sdk => Ok(CloudState::new().register::<Counter>().serve().await?),
    }
}

/// A server in a process of its own, which ends with this value.
pub(crate) struct Process {
    pub(crate) port: u16,
    child: Child,
}

impl Process {
    pub(crate) fn start(kind: Kind) -> Result<Self, Error> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let kind = match kind {
            Kind::Bare => "bare",
            Kind::Sdk => "sdk",
        };
        let child = Command::new(env::current_exe()?)
            .args(["--serve", kind])
            .env("HOST", "127.0.0.1")
            .env("PORT", port.to_string())
            .env("RUST_LOG", "warn")
            .spawn()?;
        Ok(Self { port, child })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

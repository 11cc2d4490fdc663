//! Callers over gRPC, on connections that they share.

mod on_stream;
mod unary;

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

pub(crate) use on_stream::OnStream;
pub(crate) use unary::Unary;

use crate::{
    Error,
    load::{self, Caller, Turn},
};

/// What any HTTP/2 server must be assumed to allow.
const STREAMS_PER_CONNECTION: usize = 100;

/// How long a server may take to accept a connection, or a stream.
const PATIENCE: Duration = Duration::from_secs(120);

/// A caller that begins with a connection.
pub(crate) trait Connect: Caller {
    fn open(channel: Channel, id: String) -> impl Future<Output = Result<Self, Error>> + Send;
}

/// All callers of one server.
pub(crate) struct Client<C> {
    callers: Vec<C>,
}

impl<C: Connect> Client<C> {
    pub(crate) async fn connect(port: u16, callers: u32) -> Result<Self, Error> {
        let ids: Vec<_> = (0..callers).map(|number| format!("counter-{number}")).collect();
        let mut client = Self { callers: Vec::new() };
        for ids in ids.chunks(STREAMS_PER_CONNECTION) {
            let channel = connection(port).await?;
            for id in ids {
                client.callers.push(C::open(channel.clone(), id.clone()).await?);
            }
        }
        Ok(client)
    }

    /// Lets each caller send one command.
    pub(crate) async fn call_once(&mut self) -> Result<(), Error> {
        for caller in &mut self.callers {
            caller.call().await?;
        }
        Ok(())
    }

    /// Lets all callers send commands for this long.
    pub(crate) async fn run(&mut self, duration: Duration) -> Result<Turn, Error> {
        load::run(&mut self.callers, duration).await
    }
}

async fn connection(port: u16) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    Ok(endpoint.tcp_nodelay(true).connect_timeout(PATIENCE).connect().await?)
}

//! Many callers that each send a command, wait for the answer, and send the next.

mod on_stream;
mod unary;

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

pub(crate) use on_stream::OnStream;
pub(crate) use unary::Unary;

use crate::Error;

/// What any HTTP/2 server must be assumed to allow.
const STREAMS_PER_CONNECTION: usize = 100;

/// How long a server may take to accept a connection, or a stream.
const PATIENCE: Duration = Duration::from_secs(10);

/// One of many, with one command outstanding at most.
pub(crate) trait Caller: Send + Sized + 'static {
    fn open(channel: Channel, id: String) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Sends a command and waits for its answer, which must be right.
    fn call(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// All callers of one server.
pub(crate) struct Client<C> {
    callers: Vec<C>,
}

/// What a turn brought.
pub(crate) struct Turn {
    pub(crate) per_second: f64,
    /// Of each command, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl<C: Caller> Client<C> {
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
        let start = Instant::now();
        let until = start + duration;
        let mut running = JoinSet::new();
        for caller in self.callers.drain(..) {
            running.spawn(call_until(caller, until));
        }
        let mut latencies = Vec::new();
        while let Some(done) = running.join_next().await {
            let (caller, of_caller) = done??;
            self.callers.push(caller);
            latencies.extend(of_caller);
        }
        let per_second = latencies.len() as f64 / start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        Ok(Turn { per_second, latencies })
    }
}

async fn call_until<C: Caller>(mut caller: C, until: Instant) -> Result<(C, Vec<Duration>), Error> {
    let mut latencies = Vec::new();
    let mut sent = Instant::now();
    while sent < until {
        caller.call().await?;
        let received = Instant::now();
        latencies.push(received - sent);
        sent = received;
    }
    Ok((caller, latencies))
}

async fn connection(port: u16) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    Ok(endpoint.tcp_nodelay(true).connect_timeout(PATIENCE).connect().await?)
}

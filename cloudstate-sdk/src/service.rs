use std::ffi::OsString;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::action::{self, ActionService};
use crate::conversation::MAX_REPLY_SIZE;
use crate::discovery::{self, Named};
use crate::error::{Error, Kind};
use crate::registration::{self, Component};
use crate::shutdown::Signals;
use crate::transport::{self, ErrorListener, Limits};
use crate::{Context, Entity, EntityKind, logging};

const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 8080;

/// Serves every annotated entity that is linked into this program, until SIGTERM or Ctrl-C.
///
/// The same as `CloudState::new().discover().serve()`.
///
/// ```no_run
/// #[tokio::main]
/// async fn main() -> Result<(), cloudstate_sdk::Error> {
///     cloudstate_sdk::serve().await
/// }
/// ```
///
/// # Errors
/// See [`CloudState::bind`].
pub async fn serve() -> Result<(), Error> {
    CloudState::new().discover().serve().await
}

/// A user function: the entities it serves, and how.
///
/// | Setting | Method | Environment | Default |
/// |---|---|---|---|
/// | where proxies connect | [`address`](Self::address) | `HOST`, `PORT` | 127.0.0.1:8080 |
/// | name and version in discovery | [`named`](Self::named) | | those of the crate of the first entity |
/// | largest message accepted | [`max_message_size`](Self::max_message_size) | | 16 MiB |
/// | largest reply sent | [`max_reply_size`](Self::max_reply_size) | | 12 MiB |
/// | time to finish on shutdown | [`shutdown_grace`](Self::shutdown_grace) | | 10 s |
/// | what is logged on stderr | | `RUST_LOG` | `info` |
///
/// A method wins over the environment.
#[must_use = "a user function does nothing until it is served"]
pub struct CloudState {
    registered: Vec<Component>,
    discover: bool,
    named: Option<Named>,
    address: Option<(String, u16)>,
    limits: Limits,
    grace: Duration,
    on_proxy_error: Option<ErrorListener>,
}

impl CloudState {
    /// Serves nothing yet.
    pub fn new() -> Self {
        Self {
            registered: Vec::new(),
            discover: false,
            named: None,
            address: None,
            limits: Limits { max_message_size: 16 << 20, max_reply_size: MAX_REPLY_SIZE },
            grace: Duration::from_secs(10),
            on_proxy_error: None,
        }
    }

    /// Serves `E`. New entities are made by its `Default`.
    pub fn register<E>(self) -> Self
    where
        E: Entity + Default,
        E::Kind: EntityKind<E>,
    {
        self.register_with(|_| E::default())
    }

    /// Serves `E`. New entities are made by `create`, which may give them what they need:
    /// `.register_with(move |context| Stock::new(context.entity_id(), clock.clone()))`.
    pub fn register_with<E>(mut self, create: impl Fn(&Context) -> E + Send + Sync + 'static) -> Self
    where
        E: Entity,
        E::Kind: EntityKind<E>,
    {
        self.registered.push(Component::created_by(create));
        self
    }

    /// Serves an action. The given value serves all its calls, so it may hold what they share.
    pub fn register_action<A>(mut self, action: A) -> Self
    where
        A: Entity + ActionService + action::Handler,
    {
        self.registered.push(action::component(action));
        self
    }

    /// Also serves every annotated entity that is linked into this program. An entity that is registered wins over
    /// one discovered for the same service. A generic entity is never discovered.
    pub fn discover(mut self) -> Self {
        self.discover = true;
        self
    }

    /// What this user function is called in discovery; informative.
    pub fn named(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.named = Some(Named { name: name.into(), version: version.into() });
        self
    }

    /// Where proxies connect. Port 0 takes any free one; [`bind`](Self::bind) tells which.
    pub fn address(mut self, host: impl Into<String>, port: u16) -> Self {
        self.address = Some((host.into(), port));
        self
    }

    /// The largest message accepted from a proxy, in bytes. A larger one ends its stream; stored events and
    /// snapshots must fit, too.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.limits.max_message_size = bytes;
        self
    }

    /// The largest reply sent, in bytes, its events and snapshot included. A command that needs a larger one fails,
    /// because a proxy that gets it would drop the entity.
    pub fn max_reply_size(mut self, bytes: usize) -> Self {
        self.limits.max_reply_size = bytes;
        self
    }

    /// How long a shutdown waits for the proxy to take the last replies. What is left then is dropped.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Calls `listener` with what a proxy reports, such as a contract that it rejects. It is logged in any case, at
    /// ERROR with the target `cloudstate::proxy`.
    pub fn on_proxy_error(mut self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_proxy_error = Some(Arc::new(listener));
        self
    }

    /// Serves until SIGTERM or Ctrl-C. Logs to stderr unless the program has set up a `tracing` subscriber.
    ///
    /// # Errors
    /// See [`bind`](Self::bind).
    pub async fn serve(self) -> Result<(), Error> {
        logging::install();
        // Before anybody can know that we are there, and stop us.
        let signals = Signals::listen()?;
        self.bind().await?.serve_with_shutdown(signals.received()).await
    }

    /// Serves until `stop` completes. Logs like [`serve`](Self::serve).
    ///
    /// # Errors
    /// See [`bind`](Self::bind).
    pub async fn serve_with_shutdown(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        logging::install();
        self.bind().await?.serve_with_shutdown(stop).await
    }

    /// Checks everything and takes the address; the result knows it, and serves.
    ///
    /// ```
    /// # use cloudstate_sdk::CloudState;
    /// # #[tokio::main]
    /// # async fn main() {
    /// let error = CloudState::new().address("127.0.0.1", 0).bind().await.unwrap_err();
    /// assert!(error.is_nothing_registered());
    /// # }
    /// ```
    ///
    /// # Errors
    /// When nothing or something twice is registered, when no proxy could serve the contract, or when the address
    /// is malformed or taken.
    pub async fn bind(self) -> Result<Server, Error> {
        let linked = registration::linked();
        if !self.discover {
            registration::warn_of_unregistered(&self.registered, &linked);
        }
        let components = registration::resolve(self.registered, self.discover.then_some(linked))?;
        let spec = discovery::entity_spec(&components, self.named)?;
        let (host, port) = match self.address {
            Some(address) => address,
            None => environment_address()?,
        };
        let cannot_bind = |source| Kind::Bind { address: format!("{host}:{port}"), source };
        let listener = TcpListener::bind((host.as_str(), port)).await.map_err(cannot_bind)?;
        let address = listener.local_addr().map_err(cannot_bind)?;
        for component in &components {
            tracing::info!("serving {} with {}", component.service, component.type_name);
        }
        tracing::info!("listening on {address}");
        let parts =
            transport::Parts { components, spec, limits: self.limits, on_proxy_error: self.on_proxy_error };
        Ok(Server { parts, listener, address, grace: self.grace })
    }
}

impl Default for CloudState {
    fn default() -> Self {
        Self::new()
    }
}

/// A user function that has its address.
#[must_use = "a server does nothing until `serve` is awaited"]
pub struct Server {
    parts: transport::Parts,
    listener: TcpListener,
    address: SocketAddr,
    grace: Duration,
}

impl Server {
    /// Where proxies connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// When signals cannot be listened for, or the socket fails.
    pub async fn serve(self) -> Result<(), Error> {
        let signals = Signals::listen()?;
        self.serve_with_shutdown(signals.received()).await
    }

    /// Serves until `stop` completes, then shuts down: no new connections and streams, each entity finishes the
    /// command in progress, and its stream ends well. Calls of actions go on until they end, or the grace is over.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn serve_with_shutdown(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        transport::serve(self.parts, self.listener, stop, self.grace).await
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Operators set `PORT`, container files set `HOST`.
fn environment_address() -> Result<(String, u16), Error> {
    address_of(std::env::var_os("HOST"), std::env::var_os("PORT"))
}

/// A malformed port is an error: with a silent default nobody would find the service.
fn address_of(host: Option<OsString>, port: Option<OsString>) -> Result<(String, u16), Error> {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    let host = host.map_or(DEFAULT_HOST.into(), text);
    let Some(port) = port.map(text) else { return Ok((host, DEFAULT_PORT)) };
    match port.parse() {
        Ok(number) => Ok((host, number)),
        Err(_) => Err(Kind::Port(port).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_where_to_listen() {
        let address = |host: Option<&str>, port: Option<&str>| {
            address_of(host.map(OsString::from), port.map(OsString::from))
        };
        for (host, port, expected) in [
            (None, None, ("127.0.0.1", 8080)),
            (Some("0.0.0.0"), None, ("0.0.0.0", 8080)),
            (None, Some("0"), ("127.0.0.1", 0)),
            (Some("localhost"), Some("65535"), ("localhost", 65535)),
        ] {
            assert_eq!(address(host, port).unwrap(), (expected.0.into(), expected.1));
        }
        for port in ["", "http", "-1", "65536", "8080 "] {
            let error = address(None, Some(port)).unwrap_err();
            assert!(error.is_address());
            let expected =
                format!("the environment variable PORT is `{port}`; it must be a number from 0 to 65535");
            assert_eq!(error.to_string(), expected);
        }
    }
}

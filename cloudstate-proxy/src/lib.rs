//! Hosts a Cloudstate user function: a gRPC service that holds business logic in any language, while this proxy
//! owns state, routing and delivery.
//!
//! ```text
//! client ──gRPC / HTTP+JSON──▶ frontend → routing → entities (mailbox, lifecycle) → user_function ──▶ your handler
//!            reply ◀── side effects ◀── storage (durable) ◀── reply + events ◀─────────────────────────┘
//! ```
//!
//! [`Proxy::start`] runs one inside this process:
//!
//! ```no_run
//! use cloudstate_proxy::{Proxy, Settings, Status};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let proxy = Proxy::start(Settings::default()).await?;
//! let mut status = proxy.status();
//! let serving = status.wait_for(|status| matches!(status, Status::Serving(_))).await?;
//! # drop(serving);
//! // … until it is time to stop:
//! proxy.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod actions;
pub mod code;
mod entities;
pub mod error_code;
pub mod eventing;
pub mod frontend;
mod hosting;
mod management;
pub mod routing;
pub mod schema;
pub mod service_catalog;
pub mod settings;
pub mod storage;
mod telemetry;
mod user_function;

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use tokio::{sync::watch, task::JoinHandle};

pub use frontend::http_json::Route;
pub use settings::Settings;

use crate::{
    entities::{Entities, Environment},
    eventing::{Redelivery, StoreTopics},
    frontend::Listener,
    hosting::{Host, Open},
    management::Management,
    routing::Background,
    storage::{OpenError, Store},
    telemetry::{FailedCalls, metrics::Metrics, spans::Spans},
    user_function::{Dial, ErrorReporter, Pool, PoolLimits},
};

/// A running proxy.
pub struct Proxy {
    status: watch::Receiver<Status>,
    stop: watch::Sender<bool>,
    host: JoinHandle<Open>,
    management: Vec<Listener>,
    entities: Arc<Entities>,
    store: Arc<dyn Store>,
    graceful_termination_timeout: Duration,
}

/// What a proxy is doing.
#[derive(Clone, Debug)]
pub enum Status {
    /// No contract yet.
    Connecting {
        /// Why the last attempt to reach the user function failed; none before the first.
        reason: Option<String>,
    },
    /// The user function's contract was refused, and its developer was told so through `reportError`. With
    /// [`Settings::rediscover`] it is read again when the user function reconnects.
    Rejected {
        /// What is wrong with it.
        reason: String,
    },
    /// Clients are served. With [`Settings::rediscover`] a changed contract is a new value of this.
    Serving(Arc<Serving>),
    /// The proxy cannot go on.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What clients can reach.
#[derive(Debug)]
pub struct Serving {
    /// Where.
    pub listen: SocketAddr,
    /// The full names of the services, in the order of declaration.
    pub services: Vec<String>,
    /// The HTTP routes, in the order of declaration. Every rpc is also served over gRPC.
    pub routes: Vec<Route>,
    /// What is accepted but should be mended.
    pub warnings: Vec<String>,
}

/// Why a proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address of the user function is no `host:port`.
    #[error("`{0}` is no address of a user function: write host:port, for example 127.0.0.1:8080")]
    UserFunction(String),
    /// The port for clients is taken, or not ours to take.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The management port, likewise.
    #[error("cannot open the management port {0}: {1}")]
    Management(SocketAddr, io::Error),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
}

impl Proxy {
    /// Opens the store and the management port, checks that the port for clients is free, and begins to look for
    /// the user function. The port for clients is opened once its contract is known.
    ///
    /// # Errors
    ///
    /// When an address cannot be used or the store cannot be opened.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let dial = check_addresses(&settings).await?;
        let store = storage::open(&settings.store).await?;
        Self::start_on(settings, dial, store).await
    }

    /// The same on a store of any making; [`Settings::store`] is not looked at. The proxy closes the store in the end.
    ///
    /// # Errors
    ///
    /// When an address cannot be used.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn start_with_store(settings: Settings, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let dial = check_addresses(&settings).await?;
        Self::start_on(settings, dial, store).await
    }

    async fn start_on(settings: Settings, dial: Dial, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let entities = Arc::new(Entities::new(environment(&settings, &dial, &store)));
        count_dead_letters(entities.environment()).await;
        let (status, status_seen) = watch::channel(Status::Connecting { reason: None });
        let (unreachable, unreachable_seen) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let management = Arc::new(Management {
            status: status_seen.clone(),
            unreachable: unreachable_seen,
            stopping: stopped.clone(),
            entities: Arc::clone(&entities),
            dead_letters: ArcSwapOption::empty(),
        });
        let ports = open_management(&settings, &management).await?;
        let graceful_termination_timeout = settings.graceful_termination_timeout;
        let frontend = Arc::new(ArcSwapOption::empty());
        let host = Host {
            eventing: eventing(&settings, &entities),
            settings,
            dial,
            entities: Arc::clone(&entities),
            management,
            status,
            unreachable,
            frontend,
            kinds: HashMap::new(),
            open: Open::default(),
        };
        let host = tokio::spawn(host.run(stopped));
        Ok(Self {
            status: status_seen,
            stop,
            host,
            management: ports,
            entities,
            store,
            graceful_termination_timeout,
        })
    }

    /// What the proxy is doing, now and as it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Where `/ready`, `/alive`, `/metrics` and `/dead-letters` are served.
    pub fn management_address(&self) -> Option<SocketAddr> {
        self.management.first().map(Listener::address)
    }

    /// Stops accepting, finishes the work in progress, half-closes the entities' streams and closes the store;
    /// whatever is not finished after [`Settings::graceful_termination_timeout`] is given up.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        self.entities.complete_streams();
        let drained = tokio::time::timeout(self.graceful_termination_timeout, async {
            if let Ok(open) = self.host.await {
                open.shutdown().await;
            }
            // Side effects may need entities, whose last commands may have side effects.
            let background = &self.entities.environment().background;
            background.finished().await;
            self.entities.drain().await;
            background.finished().await;
        });
        if drained.await.is_err() {
            tracing::warn!("not all work was finished in time; the rest is given up");
        }
        self.store.close().await;
    }
}

/// Those that are left from before.
async fn count_dead_letters(environment: &Environment) {
    match environment.store.dead_letter_count().await {
        Ok(count) => environment.metrics.kept_dead_letters().add(count),
        // A proxy on a store that does not work is not ready, and says why.
        Err(error) => tracing::warn!("cannot count the dead letters: {error}"),
    }
}

async fn check_addresses(settings: &Settings) -> Result<Dial, StartError> {
    let dial = dial(&settings.user_function)?;
    // Found out now, not when the user function is there: a taken port will not get free by waiting.
    Listener::bind(settings.listen).await.map_err(|error| StartError::Listen(settings.listen, error))?;
    Ok(dial)
}

fn dial(user_function: &str) -> Result<Dial, StartError> {
    let invalid = || StartError::UserFunction(user_function.to_owned());
    let (host, port) = user_function.rsplit_once(':').ok_or_else(invalid)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(invalid());
    }
    Dial::new(user_function).map_err(|_| invalid())
}

fn environment(settings: &Settings, dial: &Dial, store: &Arc<dyn Store>) -> Environment {
    Environment {
        store: Arc::clone(store),
        pool: Pool::new(dial.clone(), pool_limits(settings)),
        reporter: ErrorReporter::start(dial.clone()),
        metrics: Metrics::new(Arc::clone(store)),
        failed_calls: FailedCalls::default(),
        spans: Spans::new(settings.spans),
        background: Background::default(),
        relay_timeout: settings.relay_timeout,
        passivation_timeout: settings.passivation_timeout,
        stash_size: settings.stash_size,
        max_entities: settings.max_entities,
    }
}

fn eventing(settings: &Settings, entities: &Entities) -> eventing::Environment {
    let proxy = Arc::clone(entities.environment());
    eventing::Environment {
        topics: Arc::new(StoreTopics::new(Arc::clone(&proxy.store), settings.topic_retention)),
        proxy,
        redelivery: Redelivery {
            attempts: u32::try_from(settings.delivery_attempts).unwrap_or(u32::MAX),
            pause_min: Redelivery::FIRST_PAUSE,
            pause_max: settings.delivery_backoff_max,
        },
    }
}

fn pool_limits(settings: &Settings) -> PoolLimits {
    PoolLimits {
        max_connections: settings.max_connections,
        max_message_size: settings.max_inbound_message_size,
        backoff_min: settings.backoff_min,
        backoff_max: settings.backoff_max,
    }
}

/// The management port and, if asked for, a second one for metrics.
async fn open_management(
    settings: &Settings,
    management: &Arc<Management>,
) -> Result<Vec<Listener>, StartError> {
    let mut open = Vec::new();
    for address in settings.management.into_iter().chain(settings.metrics) {
        let listener = match Listener::bind(address).await {
            Ok(tcp) => management::serve(tcp, Arc::clone(management)),
            Err(error) => Err(error),
        };
        match listener {
            Ok(listener) => open.push(listener),
            Err(error) if settings.management_optional => {
                tracing::warn!("no management port: {address}: {error}");
            }
            Err(error) => return Err(StartError::Management(address, error)),
        }
    }
    Ok(open)
}

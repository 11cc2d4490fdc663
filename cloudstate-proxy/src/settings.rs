//! Every setting of the proxy: flag, variables, the reference's argument, default, meaning, check.
//!
//! `table::SETTINGS` is the table; `--help` is written from it. A value is looked for in this order: the flag, the reference
//! proxy's `-Dcloudstate.proxy.…=` program argument, the environment, the default.

mod command_line;
mod given;
mod reference;
mod table;
mod value;

use std::{net::SocketAddr, time::Duration};

use http::HeaderValue;

use self::{given::Given, table::Setting};
use crate::storage::StoreUrl;

/// What a proxy is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where clients come in: gRPC and HTTP/JSON on one port. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// The user function's `host:port`.
    pub user_function: String,
    /// Where state is kept.
    pub store: StoreUrl,
    /// Where `/ready`, `/alive`, `/metrics` and `/dead-letters` are served; none: nowhere.
    pub management: Option<SocketAddr>,
    /// A taken management port is a warning instead of an error.
    pub management_optional: bool,
    /// A second address for `/metrics`.
    pub metrics: Option<SocketAddr>,
    /// Make a span of each call, for the tracer provider that is OpenTelemetry's global one when the proxy starts.
    pub spans: bool,
    /// How long a command may take, from its arrival to its reply; a side effect, too, whether or not it is waited for.
    pub relay_timeout: Duration,
    /// The largest message accepted from the user function, in bytes.
    pub max_inbound_message_size: usize,
    /// The largest request accepted from a client, in bytes.
    pub max_request_size: usize,
    /// How many requests of one client connection may be under way at once, over HTTP/2; more wait.
    pub max_streams_per_connection: u32,
    /// The origins whose pages may call from a browser, such as `https://app.example.com`; `*` is any.
    pub cors_origins: Vec<HeaderValue>,
    /// How many commands may wait for one entity.
    pub stash_size: usize,
    /// How many entities may be in memory.
    pub max_entities: usize,
    /// How many connections to the user function there may be, each with at most 100 streams. A quarter as many more carry
    /// calls with streams of requests.
    pub max_connections: usize,
    /// How often an event or message is delivered to a consumer that fails, before it becomes a dead letter.
    pub delivery_attempts: usize,
    /// The longest pause between two deliveries of one event or message.
    pub delivery_backoff_max: Duration,
    /// How long a message of a topic is kept, whether it was consumed or not.
    pub topic_retention: Duration,
    /// How long an entity may be idle before it is passivated, unless its service says otherwise.
    pub passivation_timeout: PassivationTimeouts,
    /// How long a stop waits for work in progress.
    pub graceful_termination_timeout: Duration,
    /// The first pause before the user function is tried again.
    pub backoff_min: Duration,
    /// The longest pause before the user function is tried again.
    pub backoff_max: Duration,
    /// Accept exactly protocol 0.2 instead of 0.0 to 0.2.
    pub strict_protocol_version: bool,
    /// Discover again when the user function comes back, and keep trying after a rejected contract.
    pub rediscover: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9000)),
            user_function: "127.0.0.1:8080".to_owned(),
            store: StoreUrl::Sqlite(".cloudstate/store.db".into()),
            management: Some(SocketAddr::from(([127, 0, 0, 1], 8558))),
            management_optional: false,
            metrics: None,
            spans: false,
            relay_timeout: Duration::from_secs(60),
            max_inbound_message_size: 12 * 1024 * 1024,
            max_request_size: 4 * 1024 * 1024,
            max_streams_per_connection: 256,
            cors_origins: Vec::new(),
            stash_size: 100,
            max_entities: 100_000,
            max_connections: 1024,
            delivery_attempts: 10,
            delivery_backoff_max: Duration::from_secs(30),
            topic_retention: Duration::from_secs(7 * 24 * 60 * 60),
            passivation_timeout: Duration::from_secs(30).into(),
            graceful_termination_timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
            strict_protocol_version: false,
            rediscover: true,
        }
    }
}

/// One time for each kind of entity: the reference's arguments tell them apart, the flag sets all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassivationTimeouts {
    /// For event sourced entities.
    pub event_sourced: Duration,
    /// For value entities.
    pub value: Duration,
    /// For CRDT entities.
    pub crdt: Duration,
}

impl From<Duration> for PassivationTimeouts {
    /// The same time for all kinds.
    fn from(time: Duration) -> Self {
        Self { event_sourced: time, value: time, crdt: time }
    }
}

/// Settings as a person gave them on the command line, not yet checked; part of a clap command through
/// `#[command(flatten)]`.
///
/// ```
/// use clap::Parser;
/// use cloudstate_proxy::{Settings, settings::Arguments};
///
/// #[derive(Parser)]
/// struct Program {
///     #[command(flatten)]
///     settings: Arguments,
/// }
///
/// let program = Program::parse_from(["program", "--relay-timeout", "5s"]);
/// let environment = |variable: &str| (variable == "HTTP_PORT").then(|| "8000".to_owned());
/// let settings = program.settings.resolve(environment, Settings::default())?;
/// assert_eq!(settings.relay_timeout.as_secs(), 5);
/// assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
/// # Ok::<(), cloudstate_proxy::settings::SettingError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// Flag and value.
    flags: Vec<(&'static str, String)>,
    /// The reference's `KEY=VALUE`, in order.
    properties: Vec<String>,
}

/// A value that cannot be used. The text is one line: which setting, what is wrong, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct SettingError {
    source_name: String,
    reason: String,
}

impl Arguments {
    /// Settings by precedence: flags, the reference's arguments, `variable` (the environment; empty is unset),
    /// `defaults`.
    ///
    /// # Errors
    ///
    /// Any value that was given is out of its range or does not parse, used or not.
    pub fn resolve(
        &self,
        variable: impl Fn(&str) -> Option<String>,
        defaults: Settings,
    ) -> Result<Settings, SettingError> {
        let given = Given { arguments: self, variable: &variable };
        let backoff_min = given.time(&table::BACKOFF_MIN, defaults.backoff_min)?;
        let settings = Settings {
            listen: given.address(&table::LISTEN, Some(defaults.listen))?.unwrap_or(defaults.listen),
            user_function: given.user_function(defaults.user_function)?,
            store: given.value(&table::STORE, |text| text.parse::<StoreUrl>())?.unwrap_or(defaults.store),
            management: given.address(&table::MANAGEMENT, defaults.management)?,
            management_optional: defaults.management_optional || given.dev_mode()?,
            metrics: given.address(&table::METRICS, defaults.metrics)?,
            spans: defaults.spans,
            relay_timeout: given.time(&table::RELAY_TIMEOUT, defaults.relay_timeout)?,
            max_inbound_message_size: given
                .size(&table::MAX_INBOUND_MESSAGE_SIZE, defaults.max_inbound_message_size)?,
            max_request_size: given.size(&table::MAX_REQUEST_SIZE, defaults.max_request_size)?,
            max_streams_per_connection: given
                .value(&table::MAX_STREAMS_PER_CONNECTION, value::streams)?
                .unwrap_or(defaults.max_streams_per_connection),
            cors_origins: given.value(&table::CORS_ORIGIN, value::origins)?.unwrap_or(defaults.cors_origins),
            stash_size: given
                .value(&table::STASH_SIZE, value::up_to_a_million)?
                .unwrap_or(defaults.stash_size),
            max_entities: given
                .value(&table::MAX_ENTITIES, value::up_to_a_million)?
                .unwrap_or(defaults.max_entities),
            max_connections: given
                .value(&table::MAX_CONNECTIONS, value::up_to_a_million)?
                .unwrap_or(defaults.max_connections),
            delivery_attempts: given
                .value(&table::DELIVERY_ATTEMPTS, value::up_to_a_million)?
                .unwrap_or(defaults.delivery_attempts),
            delivery_backoff_max: given.time(&table::DELIVERY_BACKOFF_MAX, defaults.delivery_backoff_max)?,
            topic_retention: given.time(&table::TOPIC_RETENTION, defaults.topic_retention)?,
            passivation_timeout: given.passivation_timeout(defaults.passivation_timeout)?,
            graceful_termination_timeout: given
                .value(&table::GRACEFUL_TERMINATION_TIMEOUT, value::time)?
                .unwrap_or(defaults.graceful_termination_timeout),
            backoff_min,
            // The reference's default is longer than ours: its shortest pause alone must not be a mistake.
            backoff_max: given.time(&table::BACKOFF_MAX, defaults.backoff_max.max(backoff_min))?,
            strict_protocol_version: given
                .value(&table::STRICT_PROTOCOL_VERSION, value::switch)?
                .unwrap_or(defaults.strict_protocol_version),
            rediscover: given.value(&table::REDISCOVER, value::switch)?.unwrap_or(defaults.rediscover),
        };
        check_backoff(&settings)?;
        Ok(settings)
    }

    /// Whether the flag `--user-function` was given.
    pub fn names_user_function(&self) -> bool {
        self.flag(&table::USER_FUNCTION).is_some()
    }

    /// One sentence for each argument of the reference proxy that has no effect here.
    pub fn warnings(&self) -> Vec<String> {
        self.properties.iter().filter_map(|argument| reference::warning(argument)).collect()
    }

    fn flag(&self, setting: &Setting) -> Option<&str> {
        self.flags.iter().find(|(flag, _)| *flag == setting.flag).map(|(_, value)| value.as_str())
    }

    /// What the last `-D` argument that sets `key` sets it to, and how it was written.
    fn property(&self, key: &str) -> Option<(String, String)> {
        self.properties.iter().rev().find_map(|argument| reference::value(argument, key))
    }
}

fn check_backoff(settings: &Settings) -> Result<(), SettingError> {
    if settings.backoff_min <= settings.backoff_max {
        return Ok(());
    }
    Err(SettingError {
        source_name: "--backoff-min".to_owned(),
        reason: format!(
            "{:?} is longer than --backoff-max, which is {:?}",
            settings.backoff_min, settings.backoff_max
        ),
    })
}

//! Every setting of the proxy: flag, variables, the reference's argument, default, meaning, check.
//!
//! `SETTINGS` is the table; `--help` is written from it. A value is looked for in this order: the flag, the reference
//! proxy's `-Dcloudstate.proxy.…=` program argument, the environment, the default.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use clap::{Arg, ArgAction, ArgMatches, Command};
use http::{HeaderValue, Uri};

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
    /// The first pause before discovery is tried again.
    pub backoff_min: Duration,
    /// The longest pause before discovery is tried again.
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

/// One setting as people see it.
struct Setting {
    flag: &'static str,
    /// What stands for the value in `--help`; empty for a switch.
    value: &'static str,
    /// Environment variables; those of an address are its host and its port.
    variables: &'static [&'static str],
    /// The reference's keys, without `cloudstate.proxy.`; those of an address are its host and its port, those of the
    /// passivation timeout are those of each kind.
    properties: &'static [&'static str],
    /// The default of [`Settings`], for `--help`.
    default: &'static str,
    topic: &'static str,
    meaning: &'static str,
}

const SETTINGS: &[&Setting] = &[
    &LISTEN,
    &USER_FUNCTION,
    &CORS_ORIGIN,
    &MANAGEMENT,
    &METRICS,
    &STORE,
    &RELAY_TIMEOUT,
    &PASSIVATION_TIMEOUT,
    &GRACEFUL_TERMINATION_TIMEOUT,
    &BACKOFF_MIN,
    &BACKOFF_MAX,
    &DELIVERY_ATTEMPTS,
    &DELIVERY_BACKOFF_MAX,
    &TOPIC_RETENTION,
    &MAX_INBOUND_MESSAGE_SIZE,
    &MAX_REQUEST_SIZE,
    &MAX_STREAMS_PER_CONNECTION,
    &STASH_SIZE,
    &MAX_ENTITIES,
    &MAX_CONNECTIONS,
    &STRICT_PROTOCOL_VERSION,
    &REDISCOVER,
];

const ADDRESSES: &str = "Addresses";
const STATE: &str = "State";
const TIMES: &str = "Times (500ms, 30s, 1m)";
const LIMITS: &str = "Limits (bytes, 64KiB, 12MiB)";
const CONTRACT: &str = "Contract";
const EVENTING: &str = "Eventing";
const REFERENCE: &str = "Arguments of the reference proxy";

const LISTEN: Setting = Setting {
    flag: "listen",
    value: "IP:PORT",
    variables: &["HTTP_HOST", "HTTP_PORT"],
    properties: &["http-interface", "http-port"],
    default: "127.0.0.1:9000",
    topic: ADDRESSES,
    meaning: "Where clients come in, gRPC and HTTP/JSON on one port; port 0 takes any free one",
};

const USER_FUNCTION: Setting = Setting {
    flag: "user-function",
    value: "HOST:PORT",
    variables: &["USER_FUNCTION_HOST", "USER_FUNCTION_PORT"],
    properties: &["user-function-host", "user-function-port"],
    default: "127.0.0.1:8080",
    topic: ADDRESSES,
    meaning: "Where the user function listens",
};

const CORS_ORIGIN: Setting = Setting {
    flag: "cors-origin",
    value: "ORIGIN,…|*|off",
    variables: &["CLOUDSTATE_CORS_ORIGIN"],
    properties: &[],
    default: "off",
    topic: ADDRESSES,
    meaning: "Whose pages may call from a browser, for example https://app.example.com",
};

const MANAGEMENT: Setting = Setting {
    flag: "management",
    value: "IP:PORT|off",
    variables: &["MANAGEMENT_HOST", "MANAGEMENT_PORT"],
    properties: &[],
    default: "127.0.0.1:8558",
    topic: ADDRESSES,
    meaning: "Where /ready, /alive, /metrics and /dead-letters are served",
};

const METRICS: Setting = Setting {
    flag: "metrics",
    value: "IP:PORT|off",
    variables: &["METRICS_HOST", "METRICS_PORT"],
    properties: &["telemetry.prometheus.host", "telemetry.prometheus.port"],
    default: "off",
    topic: ADDRESSES,
    meaning: "A second place for /metrics",
};

const STORE: Setting = Setting {
    flag: "store",
    value: "sqlite:PATH|memory",
    variables: &["CLOUDSTATE_STORE"],
    properties: &[STORE_OF_RESOURCE],
    default: "sqlite:.cloudstate/store.db",
    topic: STATE,
    meaning: "Where state is kept: events, snapshots, values, CRDTs, topics, offsets, dead letters",
};

const RELAY_TIMEOUT: Setting = Setting {
    flag: "relay-timeout",
    value: "TIME",
    variables: &["CLOUDSTATE_RELAY_TIMEOUT"],
    properties: &["relay-timeout"],
    default: "60s",
    topic: TIMES,
    meaning: "How long a command may take, from its arrival to its reply; a side effect, too",
};

const PASSIVATION_TIMEOUT: Setting = Setting {
    flag: "passivation-timeout",
    value: "TIME",
    variables: &["CLOUDSTATE_PASSIVATION_TIMEOUT"],
    properties: &[
        "eventsourced-entity.passivation-timeout",
        "value-entity.passivation-timeout",
        "crdt-entity.passivation-timeout",
    ],
    default: "30s",
    topic: TIMES,
    meaning: "How long an entity may be idle before it leaves memory, unless its service says otherwise",
};

const GRACEFUL_TERMINATION_TIMEOUT: Setting = Setting {
    flag: "graceful-termination-timeout",
    value: "TIME",
    variables: &["CLOUDSTATE_GRACEFUL_TERMINATION_TIMEOUT"],
    properties: &["graceful-termination-timeout"],
    default: "10s",
    topic: TIMES,
    meaning: "How long a stop waits for work in progress",
};

const BACKOFF_MIN: Setting = Setting {
    flag: "backoff-min",
    value: "TIME",
    variables: &["CLOUDSTATE_BACKOFF_MIN"],
    properties: &["backoff.min"],
    default: "100ms",
    topic: TIMES,
    meaning: "The first pause before the user function is tried again",
};

const BACKOFF_MAX: Setting = Setting {
    flag: "backoff-max",
    value: "TIME",
    variables: &["CLOUDSTATE_BACKOFF_MAX"],
    properties: &["backoff.max"],
    default: "2s",
    topic: TIMES,
    meaning: "The longest pause before the user function is tried again",
};

const DELIVERY_ATTEMPTS: Setting = Setting {
    flag: "delivery-attempts",
    value: "NUMBER",
    variables: &["CLOUDSTATE_DELIVERY_ATTEMPTS"],
    properties: &[],
    default: "10",
    topic: EVENTING,
    meaning: "How often an event or message is delivered to a consumer that fails, before it becomes a dead letter",
};

const DELIVERY_BACKOFF_MAX: Setting = Setting {
    flag: "delivery-backoff-max",
    value: "TIME",
    variables: &["CLOUDSTATE_DELIVERY_BACKOFF_MAX"],
    properties: &[],
    default: "30s",
    topic: EVENTING,
    meaning: "The longest pause between two deliveries of one event or message; the first is 100ms",
};

const TOPIC_RETENTION: Setting = Setting {
    flag: "topic-retention",
    value: "TIME",
    variables: &["CLOUDSTATE_TOPIC_RETENTION"],
    properties: &[],
    default: "7d",
    topic: EVENTING,
    meaning: "How long a message of a topic is kept, whether it was consumed or not",
};

const MAX_INBOUND_MESSAGE_SIZE: Setting = Setting {
    flag: "max-inbound-message-size",
    value: "SIZE",
    variables: &["CLOUDSTATE_MAX_INBOUND_MESSAGE_SIZE"],
    properties: &["max-inbound-message-size"],
    default: "12MiB",
    topic: LIMITS,
    meaning: "The largest message accepted from the user function",
};

const MAX_REQUEST_SIZE: Setting = Setting {
    flag: "max-request-size",
    value: "SIZE",
    variables: &["CLOUDSTATE_MAX_REQUEST_SIZE"],
    properties: &[],
    default: "4MiB",
    topic: LIMITS,
    meaning: "The largest request accepted from a client",
};

const MAX_STREAMS_PER_CONNECTION: Setting = Setting {
    flag: "max-streams-per-connection",
    value: "NUMBER",
    variables: &["CLOUDSTATE_MAX_STREAMS_PER_CONNECTION"],
    properties: &[],
    default: "256",
    topic: LIMITS,
    meaning: "How many requests of one HTTP/2 connection of a client are served at once; more wait",
};

const STASH_SIZE: Setting = Setting {
    flag: "stash-size",
    value: "NUMBER",
    variables: &["CLOUDSTATE_STASH_SIZE"],
    properties: &["relay-buffer-size"],
    default: "100",
    topic: LIMITS,
    meaning: "How many commands may wait for one entity; the next one gets RESOURCE_EXHAUSTED",
};

const MAX_ENTITIES: Setting = Setting {
    flag: "max-entities",
    value: "NUMBER",
    variables: &["CLOUDSTATE_MAX_ENTITIES"],
    properties: &[],
    default: "100000",
    topic: LIMITS,
    meaning: "How many entities may be in memory; the least recently used one makes room for the next, which gets \
              RESOURCE_EXHAUSTED if all are busy",
};

const MAX_CONNECTIONS: Setting = Setting {
    flag: "max-connections",
    value: "NUMBER",
    variables: &["CLOUDSTATE_MAX_CONNECTIONS"],
    properties: &[],
    default: "1024",
    topic: LIMITS,
    meaning: "How many connections to the user function there may be, each with up to 100 entities or calls of actions, \
              and a quarter as many more for calls with streams of requests; what finds no place waits",
};

const STRICT_PROTOCOL_VERSION: Setting = Setting {
    flag: "strict-protocol-version",
    value: "",
    variables: &["CLOUDSTATE_STRICT_PROTOCOL_VERSION"],
    properties: &["protocol-compatibility-check"],
    default: "off",
    topic: CONTRACT,
    meaning: "Accept exactly protocol 0.2 instead of 0.0 to 0.2",
};

const REDISCOVER: Setting = Setting {
    flag: "rediscover",
    value: "",
    variables: &["CLOUDSTATE_REDISCOVER"],
    properties: &[],
    default: "on",
    topic: CONTRACT,
    meaning: "Ask for the contract again when the user function comes back, and after a refused one",
};

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
        let backoff_min = given.time(&BACKOFF_MIN, defaults.backoff_min)?;
        let settings = Settings {
            listen: given.address(&LISTEN, Some(defaults.listen))?.unwrap_or(defaults.listen),
            user_function: given.user_function(defaults.user_function)?,
            store: given.value(&STORE, |text| text.parse::<StoreUrl>())?.unwrap_or(defaults.store),
            management: given.address(&MANAGEMENT, defaults.management)?,
            management_optional: defaults.management_optional || given.dev_mode()?,
            metrics: given.address(&METRICS, defaults.metrics)?,
            spans: defaults.spans,
            relay_timeout: given.time(&RELAY_TIMEOUT, defaults.relay_timeout)?,
            max_inbound_message_size: given
                .size(&MAX_INBOUND_MESSAGE_SIZE, defaults.max_inbound_message_size)?,
            max_request_size: given.size(&MAX_REQUEST_SIZE, defaults.max_request_size)?,
            max_streams_per_connection: given
                .value(&MAX_STREAMS_PER_CONNECTION, streams)?
                .unwrap_or(defaults.max_streams_per_connection),
            cors_origins: given.value(&CORS_ORIGIN, origins)?.unwrap_or(defaults.cors_origins),
            stash_size: given.value(&STASH_SIZE, up_to_a_million)?.unwrap_or(defaults.stash_size),
            max_entities: given.value(&MAX_ENTITIES, up_to_a_million)?.unwrap_or(defaults.max_entities),
            max_connections: given
                .value(&MAX_CONNECTIONS, up_to_a_million)?
                .unwrap_or(defaults.max_connections),
            delivery_attempts: given
                .value(&DELIVERY_ATTEMPTS, up_to_a_million)?
                .unwrap_or(defaults.delivery_attempts),
            delivery_backoff_max: given.time(&DELIVERY_BACKOFF_MAX, defaults.delivery_backoff_max)?,
            topic_retention: given.time(&TOPIC_RETENTION, defaults.topic_retention)?,
            passivation_timeout: given.passivation_timeout(defaults.passivation_timeout)?,
            graceful_termination_timeout: given
                .value(&GRACEFUL_TERMINATION_TIMEOUT, time)?
                .unwrap_or(defaults.graceful_termination_timeout),
            backoff_min,
            // The reference's default is longer than ours: its shortest pause alone must not be a mistake.
            backoff_max: given.time(&BACKOFF_MAX, defaults.backoff_max.max(backoff_min))?,
            strict_protocol_version: given
                .value(&STRICT_PROTOCOL_VERSION, switch)?
                .unwrap_or(defaults.strict_protocol_version),
            rediscover: given.value(&REDISCOVER, switch)?.unwrap_or(defaults.rediscover),
        };
        check_backoff(&settings)?;
        Ok(settings)
    }

    /// Whether the flag `--user-function` was given.
    pub fn names_user_function(&self) -> bool {
        self.flag(&USER_FUNCTION).is_some()
    }

    /// One sentence for each argument of the reference proxy that has no effect here.
    pub fn warnings(&self) -> Vec<String> {
        self.properties.iter().filter_map(|property| warning(property)).collect()
    }

    fn flag(&self, setting: &Setting) -> Option<&str> {
        self.flags.iter().find(|(flag, _)| *flag == setting.flag).map(|(_, value)| value.as_str())
    }

    /// The value of the last `-D` argument that sets `key`, and how it was written.
    fn property(&self, key: &str) -> Option<(String, String)> {
        self.properties.iter().rev().find_map(|property| {
            let (name, value) = property.split_once('=')?;
            let found = match name {
                CONFIG_RESOURCE => resource(value)?.iter().find(|(sets, _)| *sets == key)?.1,
                _ => (name.strip_prefix(NAMESPACE)? == key).then_some(value)?,
            };
            Some((format!("-D{name}"), found.to_owned()))
        })
    }
}

const NAMESPACE: &str = "cloudstate.proxy.";
const CONFIG_RESOURCE: &str = "config.resource";
const DEV_MODE: &str = "dev-mode-enabled";
/// Not a key of the reference, which chooses its store through `config.resource` alone.
const STORE_OF_RESOURCE: &str = "(store)";

/// What the reference's configuration variants set.
fn resource(name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match name {
        "in-memory.conf" | "no-store.conf" => Some(&[(STORE_OF_RESOURCE, "memory")]),
        "dev-mode.conf" => Some(&[(STORE_OF_RESOURCE, "memory"), (DEV_MODE, "true")]),
        _ => None,
    }
}

fn warning(property: &str) -> Option<String> {
    let Some((name, value)) = property.split_once('=') else {
        return Some(format!("-D{property} has no effect: write -Dkey=value"));
    };
    if name == CONFIG_RESOURCE {
        return match value {
            "no-store.conf" => {
                Some(format!("-D{property}: this proxy always has a store; it is kept in memory"))
            }
            _ if resource(value).is_some() => None,
            _ => Some(format!(
                "-D{property} has no effect: known are in-memory.conf, dev-mode.conf and no-store.conf; \
                 choose the store with --store"
            )),
        };
    }
    let key = name.strip_prefix(NAMESPACE);
    let known = key.is_some_and(|key| {
        key == DEV_MODE || SETTINGS.iter().any(|setting| setting.properties.contains(&key))
    });
    (!known).then(|| format!("-D{name} has no effect: this proxy has no such setting"))
}

/// All places where values come from.
struct Given<'a> {
    arguments: &'a Arguments,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

/// A text and where it was given, for messages.
struct Text {
    text: String,
    source_name: String,
}

impl Given<'_> {
    fn value<T, E: Display>(
        &self,
        setting: &Setting,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingError> {
        self.value_by(setting, setting.properties.first().copied(), parse)
    }

    /// The value of a setting of which `key` is a key of the reference.
    fn value_by<T, E: Display>(
        &self,
        setting: &Setting,
        key: Option<&str>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingError> {
        let flag = self.flag(setting);
        let property = key.and_then(|key| self.property(key));
        let variable = setting.variables.first().and_then(|name| self.variable(name));
        first_parsed([flag, property, variable], parse)
    }

    fn passivation_timeout(
        &self,
        defaults: PassivationTimeouts,
    ) -> Result<PassivationTimeouts, SettingError> {
        let of = |kind: usize, default| {
            let key = PASSIVATION_TIMEOUT.properties.get(kind).copied();
            Ok(self.value_by(&PASSIVATION_TIMEOUT, key, positive_time)?.unwrap_or(default))
        };
        Ok(PassivationTimeouts {
            event_sourced: of(0, defaults.event_sourced)?,
            value: of(1, defaults.value)?,
            crdt: of(2, defaults.crdt)?,
        })
    }

    fn time(&self, setting: &Setting, default: Duration) -> Result<Duration, SettingError> {
        Ok(self.value(setting, positive_time)?.unwrap_or(default))
    }

    fn size(&self, setting: &Setting, default: usize) -> Result<usize, SettingError> {
        Ok(self.value(setting, size)?.unwrap_or(default))
    }

    /// An address to listen on. Host and port may be given apart; the one that is missing comes from the default.
    fn address(
        &self,
        setting: &Setting,
        default: Option<SocketAddr>,
    ) -> Result<Option<SocketAddr>, SettingError> {
        let whole = first_parsed([self.flag(setting)], |text| match text {
            "off" if setting.value.ends_with("|off") => Ok(None),
            _ => socket_address(text).map(Some),
        })?;
        let (host, port) = (self.part(setting, 0, ip)?, self.part(setting, 1, port)?);
        Ok(match (whole, host, port) {
            (Some(whole), _, _) => whole,
            (None, None, None) => default,
            (None, host, port) => {
                let default = default.unwrap_or(DEFAULT_METRICS);
                Some(SocketAddr::new(host.unwrap_or(default.ip()), port.unwrap_or(default.port())))
            }
        })
    }

    fn user_function(&self, default: String) -> Result<String, SettingError> {
        let whole = first_parsed([self.flag(&USER_FUNCTION)], host_and_port)?;
        let host = self.part(&USER_FUNCTION, 0, host)?;
        let port = self.part(&USER_FUNCTION, 1, peer_port)?;
        let (default_host, default_port) = default.rsplit_once(':').unwrap_or((&default, "8080"));
        Ok(match (whole, host, port) {
            (Some(whole), _, _) => whole,
            (None, host, port) => format!(
                "{}:{}",
                host.as_deref().unwrap_or(default_host),
                port.map_or(default_port.to_owned(), |port| port.to_string())
            ),
        })
    }

    /// The host (0) or the port (1) of an address.
    fn part<T>(
        &self,
        setting: &Setting,
        part: usize,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingError> {
        let property = setting.properties.get(part).and_then(|key| self.property(key));
        let variable = setting.variables.get(part).and_then(|name| self.variable(name));
        first_parsed([property, variable], parse)
    }

    fn dev_mode(&self) -> Result<bool, SettingError> {
        Ok(first_parsed([self.property(DEV_MODE)], switch)?.unwrap_or(false))
    }

    fn flag(&self, setting: &Setting) -> Option<Text> {
        let text = self.arguments.flag(setting)?.to_owned();
        Some(Text { text, source_name: format!("--{}", setting.flag) })
    }

    fn property(&self, key: &str) -> Option<Text> {
        let (source_name, text) = self.arguments.property(key)?;
        Some(Text { text: with_reference_unit(key, text), source_name })
    }

    fn variable(&self, name: &str) -> Option<Text> {
        let text = (self.variable)(name).filter(|text| !text.is_empty())?;
        Some(Text { text, source_name: name.to_owned() })
    }
}

/// Where the reference serves metrics.
const DEFAULT_METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// The first of `texts` that was given. The others are parsed as well, so that a mistake is not found on the day a flag
/// is removed.
fn first_parsed<T, E: Display, const N: usize>(
    texts: [Option<Text>; N],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, SettingError> {
    let mut first = None;
    for Text { text, source_name } in texts.into_iter().flatten() {
        let value =
            parse(text.trim()).map_err(|reason| SettingError { source_name, reason: reason.to_string() })?;
        first.get_or_insert(value);
    }
    Ok(first)
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

/// The reference reads a time without a unit as milliseconds.
fn with_reference_unit(key: &str, text: String) -> String {
    let is_time = key.ends_with("-timeout") || key.starts_with("backoff.");
    if is_time && text.chars().all(|c| c.is_ascii_digit()) { text + "ms" } else { text }
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.replace("localhost:", "127.0.0.1:").parse().map_err(|_| {
        format!("{text:?} is not an address; write an IP address and a port, such as 127.0.0.1:9000")
    })
}

fn ip(text: &str) -> Result<IpAddr, String> {
    text.replace("localhost", "127.0.0.1")
        .parse()
        .map_err(|_| format!("{text:?} is not an IP address; write for example 127.0.0.1 or 0.0.0.0"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{text:?} is not a port; write a number from 0 to 65535"))
}

fn peer_port(text: &str) -> Result<u16, String> {
    port(text)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("{text:?} is not a port; write a number from 1 to 65535"))
}

/// A name or an IP address, IPv6 in brackets, as it stands before a colon and a port.
fn host(text: &str) -> Result<String, String> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
        return Ok(format!("[{ip}]"));
    }
    let in_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !text.is_empty() && text.chars().all(in_names) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is not a host; write a name such as localhost, or an IP address"))
}

fn host_and_port(text: &str) -> Result<String, String> {
    text.rsplit_once(':')
        .and_then(|(name, port)| Some(format!("{}:{}", host(name).ok()?, peer_port(port).ok()?)))
        .ok_or_else(|| format!("{text:?} is not an address; write host:port, such as 127.0.0.1:8080"))
}

fn positive_time(text: &str) -> Result<Duration, String> {
    time(text).and_then(|time| {
        if time.is_zero() { Err(format!("{text:?} is too short; write at least 1ms")) } else { Ok(time) }
    })
}

fn time(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let (number, unit) = number_and_unit(text);
    let milliseconds = match unit {
        "ms" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "second" | "seconds" => 1000,
        "m" | "minute" | "minutes" => 60 * 1000,
        "h" | "hour" | "hours" => 60 * 60 * 1000,
        "d" | "day" | "days" => 24 * 60 * 60 * 1000,
        _ => 0,
    };
    match number.and_then(|number| number.checked_mul(milliseconds)) {
        Some(time) if milliseconds > 0 && Duration::from_millis(time) <= LONGEST => {
            Ok(Duration::from_millis(time))
        }
        Some(_) if milliseconds > 0 => Err(format!("{text:?} is too long; write at most 365d")),
        _ => {
            Err(format!("{text:?} is not a time; write a whole number and a unit, such as 500ms, 30s or 1m"))
        }
    }
}

/// The limit is that of a gRPC message length in the languages that count it with 32 bits and a sign.
fn size(text: &str) -> Result<usize, String> {
    const LARGEST: u64 = i32::MAX as u64;
    let (number, unit) = number_and_unit(text);
    let bytes = match unit {
        "" | "B" | "byte" | "bytes" => 1,
        "kB" => 1000,
        "K" | "k" | "Ki" | "KiB" => 1024,
        "MB" => 1_000_000,
        "M" | "m" | "Mi" | "MiB" => 1024 * 1024,
        "GB" => 1_000_000_000,
        "G" | "g" | "Gi" | "GiB" => 1024 * 1024 * 1024,
        _ => 0,
    };
    match number.and_then(|number| number.checked_mul(bytes)) {
        Some(size @ 1..=LARGEST) => Ok(size as usize),
        Some(_) if bytes > 0 => {
            Err(format!("{text:?} is out of range; write a size from 1 to {LARGEST} bytes"))
        }
        _ => Err(format!("{text:?} is not a size; write bytes or a unit, such as 65536, 64KiB or 12MiB")),
    }
}

fn number_and_unit(text: &str) -> (Option<u64>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.parse().ok(), unit.trim_start())
}

fn up_to_a_million(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|size| (1..=1_000_000).contains(size))
        .ok_or_else(|| format!("{text:?} is out of range; write a number from 1 to 1000000"))
}

fn streams(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|streams| (1..=100_000).contains(streams))
        .ok_or_else(|| format!("{text:?} is out of range; write a number from 1 to 100000"))
}

/// Origins as browsers send them, joined by commas.
fn origins(text: &str) -> Result<Vec<HeaderValue>, String> {
    if text == "off" {
        return Ok(Vec::new());
    }
    text.split(',').map(|origin| self::origin(origin.trim())).collect()
}

fn origin(text: &str) -> Result<HeaderValue, String> {
    let uri = text.parse::<Uri>().ok();
    let is_origin = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| text.ends_with(authority.as_str()))
    });
    HeaderValue::from_str(text).ok().filter(|_| is_origin || text == "*").ok_or_else(|| {
        format!("{text:?} is not an origin; write scheme and host, such as https://app.example.com, or *")
    })
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

impl clap::Args for Arguments {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().copied().map(flag)).arg(reference_argument())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Arguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value =
            |setting: &&Setting| Some((setting.flag, matches.get_one::<String>(setting.flag)?.clone()));
        let properties = matches.get_many::<String>(REFERENCE).into_iter().flatten().cloned().collect();
        Ok(Self { flags: SETTINGS.iter().filter_map(value).collect(), properties })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn flag(setting: &Setting) -> Arg {
    let help =
        format!("{} [default: {}] [env: {}]", setting.meaning, setting.default, setting.variables.join(", "));
    let flag = Arg::new(setting.flag).long(setting.flag).help_heading(setting.topic).help(help);
    if setting.value.is_empty() {
        flag.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
    } else {
        flag.value_name(setting.value)
    }
}

fn reference_argument() -> Arg {
    Arg::new(REFERENCE)
        .short('D')
        .value_name("KEY=VALUE")
        .action(ArgAction::Append)
        .help_heading(REFERENCE)
        .help(
            "For example -Dcloudstate.proxy.http-port=9000 or -Dconfig.resource=in-memory.conf; \
             one that is unknown here is a warning",
        )
}

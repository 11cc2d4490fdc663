//! Every setting as people see it.

use super::reference::STORE_OF_RESOURCE;

/// One setting as people see it.
pub(super) struct Setting {
    pub(super) flag: &'static str,
    /// What stands for the value in `--help`; empty for a switch.
    pub(super) value: &'static str,
    /// Environment variables; those of an address are its host and its port.
    pub(super) variables: &'static [&'static str],
    /// The reference's keys, without `cloudstate.proxy.`; those of an address are its host and its port, those of the
    /// passivation timeout are those of each kind.
    pub(super) properties: &'static [&'static str],
    /// The default of [`Settings`](super::Settings), for `--help`.
    pub(super) default: &'static str,
    pub(super) topic: &'static str,
    pub(super) meaning: &'static str,
}

pub(super) const SETTINGS: &[&Setting] = &[
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
pub(super) const REFERENCE: &str = "Arguments of the reference proxy";

pub(super) const LISTEN: Setting = Setting {
    flag: "listen",
    value: "IP:PORT",
    variables: &["HTTP_HOST", "HTTP_PORT"],
    properties: &["http-interface", "http-port"],
    default: "127.0.0.1:9000",
    topic: ADDRESSES,
    meaning: "Where clients come in, gRPC and HTTP/JSON on one port; port 0 takes any free one",
};

pub(super) const USER_FUNCTION: Setting = Setting {
    flag: "user-function",
    value: "HOST:PORT",
    variables: &["USER_FUNCTION_HOST", "USER_FUNCTION_PORT"],
    properties: &["user-function-host", "user-function-port"],
    default: "127.0.0.1:8080",
    topic: ADDRESSES,
    meaning: "Where the user function listens",
};

pub(super) const CORS_ORIGIN: Setting = Setting {
    flag: "cors-origin",
    value: "ORIGIN,…|*|off",
    variables: &["CLOUDSTATE_CORS_ORIGIN"],
    properties: &[],
    default: "off",
    topic: ADDRESSES,
    meaning: "Whose pages may call from a browser, for example https://app.example.com",
};

pub(super) const MANAGEMENT: Setting = Setting {
    flag: "management",
    value: "IP:PORT|off",
    variables: &["MANAGEMENT_HOST", "MANAGEMENT_PORT"],
    properties: &[],
    default: "127.0.0.1:8558",
    topic: ADDRESSES,
    meaning: "Where /ready, /alive, /metrics and /dead-letters are served",
};

pub(super) const METRICS: Setting = Setting {
    flag: "metrics",
    value: "IP:PORT|off",
    variables: &["METRICS_HOST", "METRICS_PORT"],
    properties: &["telemetry.prometheus.host", "telemetry.prometheus.port"],
    default: "off",
    topic: ADDRESSES,
    meaning: "A second place for /metrics",
};

pub(super) const STORE: Setting = Setting {
    flag: "store",
    value: "sqlite:PATH|memory",
    variables: &["CLOUDSTATE_STORE"],
    properties: &[STORE_OF_RESOURCE],
    default: "sqlite:.cloudstate/store.db",
    topic: STATE,
    meaning: "Where state is kept: events, snapshots, values, CRDTs, topics, offsets, dead letters",
};

pub(super) const RELAY_TIMEOUT: Setting = Setting {
    flag: "relay-timeout",
    value: "TIME",
    variables: &["CLOUDSTATE_RELAY_TIMEOUT"],
    properties: &["relay-timeout"],
    default: "60s",
    topic: TIMES,
    meaning: "How long a command may take, from its arrival to its reply; a side effect, too",
};

pub(super) const PASSIVATION_TIMEOUT: Setting = Setting {
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

pub(super) const GRACEFUL_TERMINATION_TIMEOUT: Setting = Setting {
    flag: "graceful-termination-timeout",
    value: "TIME",
    variables: &["CLOUDSTATE_GRACEFUL_TERMINATION_TIMEOUT"],
    properties: &["graceful-termination-timeout"],
    default: "10s",
    topic: TIMES,
    meaning: "How long a stop waits for work in progress",
};

pub(super) const BACKOFF_MIN: Setting = Setting {
    flag: "backoff-min",
    value: "TIME",
    variables: &["CLOUDSTATE_BACKOFF_MIN"],
    properties: &["backoff.min"],
    default: "100ms",
    topic: TIMES,
    meaning: "The first pause before the user function is tried again",
};

pub(super) const BACKOFF_MAX: Setting = Setting {
    flag: "backoff-max",
    value: "TIME",
    variables: &["CLOUDSTATE_BACKOFF_MAX"],
    properties: &["backoff.max"],
    default: "2s",
    topic: TIMES,
    meaning: "The longest pause before the user function is tried again",
};

pub(super) const DELIVERY_ATTEMPTS: Setting = Setting {
    flag: "delivery-attempts",
    value: "NUMBER",
    variables: &["CLOUDSTATE_DELIVERY_ATTEMPTS"],
    properties: &[],
    default: "10",
    topic: EVENTING,
    meaning: "How often an event or message is delivered to a consumer that fails, before it becomes a dead letter",
};

pub(super) const DELIVERY_BACKOFF_MAX: Setting = Setting {
    flag: "delivery-backoff-max",
    value: "TIME",
    variables: &["CLOUDSTATE_DELIVERY_BACKOFF_MAX"],
    properties: &[],
    default: "30s",
    topic: EVENTING,
    meaning: "The longest pause between two deliveries of one event or message; the first is 100ms",
};

pub(super) const TOPIC_RETENTION: Setting = Setting {
    flag: "topic-retention",
    value: "TIME",
    variables: &["CLOUDSTATE_TOPIC_RETENTION"],
    properties: &[],
    default: "7d",
    topic: EVENTING,
    meaning: "How long a message of a topic is kept, whether it was consumed or not",
};

pub(super) const MAX_INBOUND_MESSAGE_SIZE: Setting = Setting {
    flag: "max-inbound-message-size",
    value: "SIZE",
    variables: &["CLOUDSTATE_MAX_INBOUND_MESSAGE_SIZE"],
    properties: &["max-inbound-message-size"],
    default: "12MiB",
    topic: LIMITS,
    meaning: "The largest message accepted from the user function",
};

pub(super) const MAX_REQUEST_SIZE: Setting = Setting {
    flag: "max-request-size",
    value: "SIZE",
    variables: &["CLOUDSTATE_MAX_REQUEST_SIZE"],
    properties: &[],
    default: "4MiB",
    topic: LIMITS,
    meaning: "The largest request accepted from a client",
};

pub(super) const MAX_STREAMS_PER_CONNECTION: Setting = Setting {
    flag: "max-streams-per-connection",
    value: "NUMBER",
    variables: &["CLOUDSTATE_MAX_STREAMS_PER_CONNECTION"],
    properties: &[],
    default: "256",
    topic: LIMITS,
    meaning: "How many requests of one HTTP/2 connection of a client are served at once; more wait",
};

pub(super) const STASH_SIZE: Setting = Setting {
    flag: "stash-size",
    value: "NUMBER",
    variables: &["CLOUDSTATE_STASH_SIZE"],
    properties: &["relay-buffer-size"],
    default: "100",
    topic: LIMITS,
    meaning: "How many commands may wait for one entity; the next one gets RESOURCE_EXHAUSTED",
};

pub(super) const MAX_ENTITIES: Setting = Setting {
    flag: "max-entities",
    value: "NUMBER",
    variables: &["CLOUDSTATE_MAX_ENTITIES"],
    properties: &[],
    default: "100000",
    topic: LIMITS,
    meaning: "How many entities may be in memory; the least recently used one makes room for the next, which gets \
              RESOURCE_EXHAUSTED if all are busy",
};

pub(super) const MAX_CONNECTIONS: Setting = Setting {
    flag: "max-connections",
    value: "NUMBER",
    variables: &["CLOUDSTATE_MAX_CONNECTIONS"],
    properties: &[],
    default: "1024",
    topic: LIMITS,
    meaning: "How many connections to the user function there may be, each with up to 100 entities or calls of actions, \
              and a quarter as many more for calls with streams of requests; what finds no place waits",
};

pub(super) const STRICT_PROTOCOL_VERSION: Setting = Setting {
    flag: "strict-protocol-version",
    value: "",
    variables: &["CLOUDSTATE_STRICT_PROTOCOL_VERSION"],
    properties: &["protocol-compatibility-check"],
    default: "off",
    topic: CONTRACT,
    meaning: "Accept exactly protocol 0.2 instead of 0.0 to 0.2",
};

pub(super) const REDISCOVER: Setting = Setting {
    flag: "rediscover",
    value: "",
    variables: &["CLOUDSTATE_REDISCOVER"],
    properties: &[],
    default: "on",
    topic: CONTRACT,
    meaning: "Ask for the contract again when the user function comes back, and after a refused one",
};

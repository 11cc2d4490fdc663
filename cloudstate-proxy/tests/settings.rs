//! Settings: where each value comes from, what is refused, and how it is said.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use clap::{CommandFactory, Parser};
use cloudstate_proxy::{
    Settings,
    settings::{Arguments, PassivationTimeouts},
    storage::StoreUrl,
};
use proptest::prelude::*;

#[derive(Parser)]
#[command(name = "program")]
struct Program {
    #[command(flatten)]
    settings: Arguments,
}

type Environment<'a> = &'a [(&'a str, &'a str)];

fn arguments(words: &[&str]) -> Arguments {
    Program::try_parse_from(["program"].iter().chain(words)).unwrap().settings
}

fn resolve(words: &[&str], environment: Environment<'_>) -> Result<Settings, String> {
    let variable = |name: &str| {
        environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    arguments(words).resolve(variable, Settings::default()).map_err(|error| error.to_string())
}

/// `value` as the table of expectations writes it.
fn shown(settings: &Settings, name: &str) -> String {
    match name {
        "listen" => settings.listen.to_string(),
        "user_function" => settings.user_function.clone(),
        "store" => settings.store.to_string(),
        "management" => format!("{:?}", settings.management),
        "management_optional" => settings.management_optional.to_string(),
        "metrics" => format!("{:?}", settings.metrics),
        "relay_timeout" => format!("{:?}", settings.relay_timeout),
        "max_inbound_message_size" => settings.max_inbound_message_size.to_string(),
        "max_request_size" => settings.max_request_size.to_string(),
        "max_streams_per_connection" => settings.max_streams_per_connection.to_string(),
        "cors_origins" => format!("{:?}", settings.cors_origins),
        "stash_size" => settings.stash_size.to_string(),
        "max_connections" => settings.max_connections.to_string(),
        "max_entities" => settings.max_entities.to_string(),
        "delivery_attempts" => settings.delivery_attempts.to_string(),
        "delivery_backoff_max" => format!("{:?}", settings.delivery_backoff_max),
        "topic_retention" => format!("{:?}", settings.topic_retention),
        "passivation_timeout" => {
            let PassivationTimeouts { event_sourced, value, crdt } = settings.passivation_timeout;
            format!("{event_sourced:?} {value:?} {crdt:?}")
        }
        "graceful_termination_timeout" => format!("{:?}", settings.graceful_termination_timeout),
        "backoff_min" => format!("{:?}", settings.backoff_min),
        "backoff_max" => format!("{:?}", settings.backoff_max),
        "strict_protocol_version" => settings.strict_protocol_version.to_string(),
        "rediscover" => settings.rediscover.to_string(),
        _ => panic!("no setting {name}"),
    }
}

#[test]
fn nothing_given_is_the_default() {
    assert_eq!(resolve(&[], &[]).unwrap(), Settings::default());
}

/// `--help` shows each default as text; given as a value, that text must be the default.
#[test]
fn help_shows_the_real_defaults() {
    let mut shown = 0;
    for argument in Program::command().get_arguments() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, rest)) = help.split_once("[default: ") else { continue };
        let default = rest.split(']').next().unwrap();
        let flag = format!("--{}={default}", argument.get_long().unwrap());
        assert_eq!(resolve(&[&flag], &[]).unwrap(), Settings::default(), "{flag}");
        shown += 1;
    }
    assert!(shown > 15, "only {shown} defaults are shown");
}

#[test]
fn every_source_sets_its_setting() {
    let cases: &[(&[&str], Environment<'_>, &str, &str)] = &[
        (&["--listen", "0.0.0.0:80"], &[], "listen", "0.0.0.0:80"),
        (&["--listen", "localhost:80"], &[], "listen", "127.0.0.1:80"),
        (&["--listen", "[::1]:0"], &[], "listen", "[::1]:0"),
        (&[], &[("HTTP_HOST", "0.0.0.0")], "listen", "0.0.0.0:9000"),
        (&[], &[("HTTP_PORT", "81")], "listen", "127.0.0.1:81"),
        (&[], &[("HTTP_HOST", "::"), ("HTTP_PORT", "81")], "listen", "[::]:81"),
        (&["-Dcloudstate.proxy.http-port=82"], &[], "listen", "127.0.0.1:82"),
        (&["-Dcloudstate.proxy.http-interface=0.0.0.0"], &[], "listen", "0.0.0.0:9000"),
        (&["--user-function", "cart:8081"], &[], "user_function", "cart:8081"),
        (&["--user-function", "[::1]:8081"], &[], "user_function", "[::1]:8081"),
        (&[], &[("USER_FUNCTION_HOST", "cart")], "user_function", "cart:8080"),
        (&[], &[("USER_FUNCTION_HOST", "::1")], "user_function", "[::1]:8080"),
        (&[], &[("USER_FUNCTION_PORT", "8082")], "user_function", "127.0.0.1:8082"),
        (&["-Dcloudstate.proxy.user-function-port=8083"], &[], "user_function", "127.0.0.1:8083"),
        (&["-Dcloudstate.proxy.user-function-host=cart.shop"], &[], "user_function", "cart.shop:8080"),
        (&["--management", "127.0.0.1:0"], &[], "management", "Some(127.0.0.1:0)"),
        (&["--management", "off"], &[], "management", "None"),
        (&[], &[("MANAGEMENT_HOST", "0.0.0.0")], "management", "Some(0.0.0.0:8558)"),
        (&[], &[("MANAGEMENT_PORT", "1")], "management", "Some(127.0.0.1:1)"),
        (&["--metrics", "127.0.0.1:9091"], &[], "metrics", "Some(127.0.0.1:9091)"),
        (&[], &[("METRICS_HOST", "0.0.0.0")], "metrics", "Some(0.0.0.0:9090)"),
        (&[], &[("METRICS_PORT", "9091")], "metrics", "Some(127.0.0.1:9091)"),
        (&["-Dcloudstate.proxy.telemetry.prometheus.port=9092"], &[], "metrics", "Some(127.0.0.1:9092)"),
        (&["--store", "memory"], &[], "store", "memory"),
        (&[], &[("CLOUDSTATE_STORE", "sqlite:/data/x.db")], "store", "sqlite:/data/x.db"),
        (&["-Dconfig.resource=in-memory.conf"], &[], "store", "memory"),
        (&["-Dconfig.resource=no-store.conf"], &[], "store", "memory"),
        (&["-Dconfig.resource=dev-mode.conf"], &[], "store", "memory"),
        (&["-Dconfig.resource=dev-mode.conf"], &[], "management_optional", "true"),
        (&["-Dconfig.resource=in-memory.conf"], &[], "management_optional", "false"),
        (&["-Dcloudstate.proxy.dev-mode-enabled=true"], &[], "management_optional", "true"),
        (&["--relay-timeout", "500ms"], &[], "relay_timeout", "500ms"),
        (&[], &[("CLOUDSTATE_RELAY_TIMEOUT", "2m")], "relay_timeout", "120s"),
        (&["-Dcloudstate.proxy.relay-timeout=1m"], &[], "relay_timeout", "60s"),
        (&["-Dcloudstate.proxy.relay-timeout=7 seconds"], &[], "relay_timeout", "7s"),
        (&["-Dcloudstate.proxy.relay-timeout=1500"], &[], "relay_timeout", "1.5s"),
        (&["--max-inbound-message-size=1MiB"], &[], "max_inbound_message_size", "1048576"),
        (&["-Dcloudstate.proxy.max-inbound-message-size=12M"], &[], "max_inbound_message_size", "12582912"),
        (&["--max-request-size=2147483647"], &[], "max_request_size", "2147483647"),
        (&[], &[("CLOUDSTATE_MAX_REQUEST_SIZE", "64kB")], "max_request_size", "64000"),
        (&["--stash-size=5"], &[], "stash_size", "5"),
        (&["--max-entities=5"], &[], "max_entities", "5"),
        (&[], &[("CLOUDSTATE_MAX_ENTITIES", "6")], "max_entities", "6"),
        (&["--max-connections=5"], &[], "max_connections", "5"),
        (&[], &[("CLOUDSTATE_MAX_CONNECTIONS", "6")], "max_connections", "6"),
        (&["--max-streams-per-connection=7"], &[], "max_streams_per_connection", "7"),
        (
            &["--cors-origin=https://app.example.com, http://localhost:3000"],
            &[],
            "cors_origins",
            r#"["https://app.example.com", "http://localhost:3000"]"#,
        ),
        (&[], &[("CLOUDSTATE_CORS_ORIGIN", "*")], "cors_origins", r#"["*"]"#),
        (&["--cors-origin=off"], &[("CLOUDSTATE_CORS_ORIGIN", "*")], "cors_origins", "[]"),
        (&["-Dcloudstate.proxy.relay-buffer-size=50"], &[], "stash_size", "50"),
        (&["--delivery-attempts=3"], &[], "delivery_attempts", "3"),
        (&[], &[("CLOUDSTATE_DELIVERY_ATTEMPTS", "4")], "delivery_attempts", "4"),
        (&["--delivery-backoff-max=1m"], &[], "delivery_backoff_max", "60s"),
        (&["--topic-retention=1h"], &[], "topic_retention", "3600s"),
        (&["--passivation-timeout=1d"], &[], "passivation_timeout", "86400s 86400s 86400s"),
        (&[], &[("CLOUDSTATE_PASSIVATION_TIMEOUT", "7s")], "passivation_timeout", "7s 7s 7s"),
        (
            &["-Dcloudstate.proxy.value-entity.passivation-timeout=3s"],
            &[],
            "passivation_timeout",
            "30s 3s 30s",
        ),
        (
            &["-Dcloudstate.proxy.crdt-entity.passivation-timeout=4000"],
            &[("CLOUDSTATE_PASSIVATION_TIMEOUT", "7s")],
            "passivation_timeout",
            "7s 7s 4s",
        ),
        (
            &["-Dcloudstate.proxy.crdt-entity.passivation-timeout=4s", "--passivation-timeout=5s"],
            &[],
            "passivation_timeout",
            "5s 5s 5s",
        ),
        (
            &["-Dcloudstate.proxy.eventsourced-entity.passivation-timeout=2s"],
            &[],
            "passivation_timeout",
            "2s 30s 30s",
        ),
        (&["--graceful-termination-timeout=0s"], &[], "graceful_termination_timeout", "0ns"),
        (&["--backoff-min=1s"], &[], "backoff_min", "1s"),
        (&["-Dcloudstate.proxy.backoff.min=5s"], &[], "backoff_max", "5s"),
        (&["-Dcloudstate.proxy.backoff.max=10s"], &[], "backoff_max", "10s"),
        (&["--strict-protocol-version"], &[], "strict_protocol_version", "true"),
        (&[], &[("CLOUDSTATE_STRICT_PROTOCOL_VERSION", "1")], "strict_protocol_version", "true"),
        (&["-Dcloudstate.proxy.protocol-compatibility-check=true"], &[], "strict_protocol_version", "true"),
        (&["--rediscover"], &[], "rediscover", "true"),
        (&["--rediscover=false"], &[("CLOUDSTATE_REDISCOVER", "true")], "rediscover", "false"),
    ];
    for (words, environment, name, expected) in cases {
        let settings = resolve(words, environment).unwrap();
        assert_eq!(shown(&settings, name), *expected, "{words:?} {environment:?}");
    }
}

#[test]
fn a_flag_wins_over_the_reference_argument_over_the_environment() {
    let environment: Environment<'_> =
        &[("CLOUDSTATE_RELAY_TIMEOUT", "3s"), ("CLOUDSTATE_STORE", "sqlite:env.db")];
    let property = "-Dcloudstate.proxy.relay-timeout=2s";
    let seconds = |words: &[&str]| resolve(words, environment).unwrap().relay_timeout;
    assert_eq!(seconds(&[property, "--relay-timeout=1s"]), Duration::from_secs(1));
    assert_eq!(seconds(&[property]), Duration::from_secs(2));
    assert_eq!(seconds(&[]), Duration::from_secs(3));

    let store = |words: &[&str]| resolve(words, environment).unwrap().store;
    assert_eq!(store(&["-Dconfig.resource=in-memory.conf"]), StoreUrl::Memory);
    assert_eq!(
        store(&["-Dconfig.resource=in-memory.conf", "--store=sqlite:x.db"]),
        StoreUrl::Sqlite("x.db".into())
    );
}

#[test]
fn the_last_reference_argument_wins() {
    let words = ["-Dcloudstate.proxy.http-port=1", "-Dcloudstate.proxy.http-port=2"];
    assert_eq!(resolve(&words, &[]).unwrap().listen.port(), 2);
}

#[test]
fn host_and_port_of_one_address_may_come_from_different_places() {
    let settings =
        resolve(&["-Dcloudstate.proxy.http-port=82"], &[("HTTP_HOST", "0.0.0.0"), ("HTTP_PORT", "81")]);
    assert_eq!(settings.unwrap().listen.to_string(), "0.0.0.0:82");
}

/// Container platforms set a variable to nothing where a person would leave it out.
#[test]
fn an_empty_variable_is_an_absent_one() {
    assert_eq!(resolve(&[], &[("HTTP_PORT", ""), ("CLOUDSTATE_STORE", "")]).unwrap(), Settings::default());
}

#[test]
fn a_bad_value_is_named_with_what_is_allowed() {
    let cases: &[(&[&str], Environment<'_>, &str)] = &[
        (
            &["--listen", "9000"],
            &[],
            r#"--listen: "9000" is not an address; write an IP address and a port, such as 127.0.0.1:9000"#,
        ),
        (&[], &[("HTTP_PORT", "http")], r#"HTTP_PORT: "http" is not a port; write a number from 0 to 65535"#),
        (
            &[],
            &[("HTTP_HOST", "example.com")],
            r#"HTTP_HOST: "example.com" is not an IP address; write for example 127.0.0.1 or 0.0.0.0"#,
        ),
        (
            &["-Dcloudstate.proxy.http-port=70000"],
            &[],
            r#"-Dcloudstate.proxy.http-port: "70000" is not a port; write a number from 0 to 65535"#,
        ),
        (
            &["--user-function", "http://x:80"],
            &[],
            r#"--user-function: "http://x:80" is not an address; write host:port, such as 127.0.0.1:8080"#,
        ),
        (
            &[],
            &[("USER_FUNCTION_PORT", "0")],
            r#"USER_FUNCTION_PORT: "0" is not a port; write a number from 1 to 65535"#,
        ),
        (
            &[],
            &[("USER_FUNCTION_HOST", "a b")],
            r#"USER_FUNCTION_HOST: "a b" is not a host; write a name such as localhost, or an IP address"#,
        ),
        (
            &["--store=mysql:x"],
            &[],
            r#"--store: cannot use the store "mysql:x": write sqlite:PATH or memory"#,
        ),
        (
            &["--relay-timeout=5"],
            &[],
            r#"--relay-timeout: "5" is not a time; write a whole number and a unit, such as 500ms, 30s or 1m"#,
        ),
        (&["--relay-timeout=0s"], &[], r#"--relay-timeout: "0s" is too short; write at least 1ms"#),
        (&["--relay-timeout=9999d"], &[], r#"--relay-timeout: "9999d" is too long; write at most 365d"#),
        (
            &["--max-request-size=0"],
            &[],
            r#"--max-request-size: "0" is out of range; write a size from 1 to 2147483647 bytes"#,
        ),
        (
            &["--max-inbound-message-size=4GiB"],
            &[],
            r#"--max-inbound-message-size: "4GiB" is out of range; write a size from 1 to 2147483647 bytes"#,
        ),
        (
            &["--max-request-size=lots"],
            &[],
            r#"--max-request-size: "lots" is not a size; write bytes or a unit, such as 65536, 64KiB or 12MiB"#,
        ),
        (&["--stash-size=0"], &[], r#"--stash-size: "0" is out of range; write a number from 1 to 1000000"#),
        (
            &["--max-streams-per-connection=0"],
            &[],
            r#"--max-streams-per-connection: "0" is out of range; write a number from 1 to 100000"#,
        ),
        (
            &["--cors-origin=app.example.com"],
            &[],
            r#"--cors-origin: "app.example.com" is not an origin; write scheme and host, such as https://app.example.com, or *"#,
        ),
        (
            &["--cors-origin=https://app.example.com/"],
            &[],
            r#"--cors-origin: "https://app.example.com/" is not an origin; write scheme and host, such as https://app.example.com, or *"#,
        ),
        (
            &[],
            &[("CLOUDSTATE_REDISCOVER", "maybe")],
            r#"CLOUDSTATE_REDISCOVER: "maybe" is neither true nor false"#,
        ),
        (
            &["--backoff-min=5s", "--backoff-max=4s"],
            &[],
            "--backoff-min: 5s is longer than --backoff-max, which is 4s",
        ),
        // A value that is not used because a stronger one is there is checked all the same.
        (
            &["--relay-timeout=1s"],
            &[("CLOUDSTATE_RELAY_TIMEOUT", "soon")],
            r#"CLOUDSTATE_RELAY_TIMEOUT: "soon" is not a time; write a whole number and a unit, such as 500ms, 30s or 1m"#,
        ),
    ];
    for (words, environment, expected) in cases {
        assert_eq!(resolve(words, environment).unwrap_err(), *expected, "{words:?} {environment:?}");
    }
}

#[test]
fn a_reference_argument_without_effect_is_a_warning() {
    let cases = [
        ("-Dcloudstate.proxy.http-port=9000", None),
        ("-Dcloudstate.proxy.dev-mode-enabled=true", None),
        ("-Dconfig.resource=dev-mode.conf", None),
        (
            "-Dconfig.resource=no-store.conf",
            Some("-Dconfig.resource=no-store.conf: this proxy always has a store; it is kept in memory"),
        ),
        (
            "-Dconfig.resource=mine.conf",
            Some(
                "-Dconfig.resource=mine.conf has no effect: known are in-memory.conf, dev-mode.conf and \
                 no-store.conf; choose the store with --store",
            ),
        ),
        ("-Dakka.loglevel=DEBUG", Some("-Dakka.loglevel has no effect: this proxy has no such setting")),
        (
            "-Dcloudstate.proxy.number-of-shards=10",
            Some("-Dcloudstate.proxy.number-of-shards has no effect: this proxy has no such setting"),
        ),
        ("-Dnonsense", Some("-Dnonsense has no effect: write -Dkey=value")),
    ];
    for (word, expected) in cases {
        let warnings = arguments(&[word]).warnings();
        assert_eq!(warnings.first().map(String::as_str), expected, "{word}");
        assert!(warnings.len() <= 1);
        assert!(resolve(&[word], &[]).is_ok(), "{word} is never fatal");
    }
}

const SETTINGS_DOCUMENT: &str = include_str!("../docs/settings.md");

/// The rows of the document, their cells without the marks of code.
fn documented() -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let line = line.replace("\\|", "\u{0}").replace('`', "");
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
    };
    SETTINGS_DOCUMENT.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn the_document_says_what_help_says() {
    let documented = documented();
    for argument in Program::command().get_arguments() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let Some((meaning, rest)) = help.split_once(" [default: ") else { continue };
        let (default, rest) = rest.split_once("] [env: ").unwrap();
        let flag = format!("--{}", argument.get_long().unwrap());
        let value = argument.get_value_names().unwrap_or_default().join(" ");
        let flag = if value == "BOOL" { flag } else { format!("{flag} {value}") };
        let row = [&flag, rest.trim_end_matches(']'), default, meaning];
        assert!(documented.iter().any(|cells| cells == &row), "docs/settings.md needs the row {row:?}");
    }
}

/// Every key and configuration of the reference proxy, with a value, and whether it has an effect here.
const REFERENCE: &[(&str, &str, bool)] = &[
    ("config.resource", "in-memory.conf", true),
    ("config.resource", "dev-mode.conf", true),
    ("config.resource", "no-store.conf", false),
    ("cloudstate.proxy.dev-mode-enabled", "true", true),
    ("cloudstate.proxy.ready-timeout", "1 s", false),
    ("cloudstate.proxy.http-interface", "0.0.0.0", true),
    ("cloudstate.proxy.http-port", "9000", true),
    ("cloudstate.proxy.user-function-host", "127.0.0.1", true),
    ("cloudstate.proxy.user-function-port", "8080", true),
    ("cloudstate.proxy.protocol-compatibility-check", "true", true),
    ("cloudstate.proxy.relay-timeout", "1m", true),
    ("cloudstate.proxy.max-inbound-message-size", "12M", true),
    ("cloudstate.proxy.relay-buffer-size", "100", true),
    ("cloudstate.proxy.graceful-termination-timeout", "10s", true),
    ("cloudstate.proxy.number-of-shards", "100", false),
    ("cloudstate.proxy.proxy-parallelism", "100", false),
    ("cloudstate.proxy.backoff.min", "1 second", true),
    ("cloudstate.proxy.backoff.max", "10 seconds", true),
    ("cloudstate.proxy.backoff.random-factor", "0.2", false),
    ("cloudstate.proxy.eventsourced-entity.journal-enabled", "true", false),
    ("cloudstate.proxy.eventsourced-entity.passivation-timeout", "30s", true),
    ("cloudstate.proxy.eventsourced-entity.read-journal", "inmemory-read-journal", false),
    ("cloudstate.proxy.eventsourced-entity.projection-support.enabled", "true", false),
    ("cloudstate.proxy.eventsourced-entity.projection-support.class", "io.cloudstate.X", false),
    ("cloudstate.proxy.value-entity.enabled", "true", false),
    ("cloudstate.proxy.value-entity.passivation-timeout", "30s", true),
    ("cloudstate.proxy.value-entity.persistence.store", "jdbc", false),
    ("cloudstate.proxy.crdt-entity.passivation-timeout", "30000", true),
    ("cloudstate.proxy.telemetry.disabled", "true", false),
    ("cloudstate.proxy.telemetry.prometheus.host", "0.0.0.0", true),
    ("cloudstate.proxy.telemetry.prometheus.port", "9090", true),
    ("cloudstate.proxy.telemetry.prometheus.use-default-registry", "true", false),
    ("cloudstate.proxy.eventing.support", "google-pubsub", false),
    ("cloudstate.proxy.eventing.google-pubsub.host", "pubsub.googleapis.com", false),
    ("cloudstate.proxy.eventing.google-pubsub.port", "443", false),
    ("cloudstate.proxy.eventing.google-pubsub.rootCa", "none", false),
    ("cloudstate.proxy.eventing.google-pubsub.callCredentials", "none", false),
    ("cloudstate.proxy.eventing.google-pubsub.project-id", "p", false),
    ("cloudstate.proxy.eventing.google-pubsub.poll-interval", "1s", false),
    ("cloudstate.proxy.eventing.google-pubsub.upstream-ack-deadline", "10s", false),
    ("cloudstate.proxy.eventing.google-pubsub.downstream-batch-deadline", "5s", false),
    ("cloudstate.proxy.eventing.google-pubsub.downstream-batch-size", "10", false),
    ("cloudstate.proxy.eventing.google-pubsub.manage-topics-and-subscriptions", "by-proxy", false),
    ("cloudstate.proxy.autoscaler.enabled", "false", false),
    ("cloudstate.proxy.jdbc.auto-create-tables", "true", false),
    ("cloudstate.proxy.jdbc.create-tables-timeout", "10s", false),
    ("cloudstate.proxy.postgres.service", "localhost", false),
    ("cloudstate.proxy.postgres.port", "5432", false),
    ("cloudstate.proxy.postgres.schema", "public", false),
    ("cloudstate.proxy.postgres.database", "cloudstate", false),
    ("cloudstate.proxy.postgres.user", "cloudstate", false),
    ("cloudstate.proxy.postgres.password", "cloudstate", false),
    // Obsolete, and still in old deployments.
    ("cloudstate.proxy.passivation-timeout", "30s", false),
    ("cloudstate.proxy.user-function-interface", "127.0.0.1", false),
    ("cloudstate.proxy.state-manager.passivation-timeout", "30s", false),
    ("akka.loglevel", "DEBUG", false),
];

#[test]
fn every_argument_of_the_reference_starts_the_proxy_and_is_documented() {
    let documented = documented();
    for (key, value, has_effect) in REFERENCE {
        let word = format!("-D{key}={value}");
        assert!(resolve(&[&word], &[]).is_ok(), "{word}: {:?}", resolve(&[&word], &[]));
        let warnings = arguments(&[&word]).warnings();
        assert_eq!(warnings.is_empty(), *has_effect, "{word}: {warnings:?}");
        if *has_effect {
            let named = |cells: &Vec<String>| cells[0] == *key || cells[0] == format!("{key}={value}");
            assert!(documented.iter().any(named), "docs/settings.md needs a row for {key}");
        } else if let Some(key) = key.strip_prefix("cloudstate.proxy.") {
            let group = key.rsplit_once('.').map(|(group, _)| format!("`{group}.*`"));
            let named = SETTINGS_DOCUMENT.contains(&format!("`{key}`"))
                || group.is_some_and(|group| SETTINGS_DOCUMENT.contains(&group));
            assert!(named, "docs/settings.md needs to name {key}");
        }
    }
    let all: Vec<_> = REFERENCE.iter().map(|(key, value, _)| format!("-D{key}={value}")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    assert!(resolve(&all, &[]).is_ok(), "{:?}", resolve(&all, &[]));
}

/// What the operators of Kubernetes set for the reference proxy, and what its stores read.
#[test]
fn every_variable_of_the_reference_is_tolerated() {
    let environment = [
        ("HTTP_PORT", "8013"),
        ("USER_FUNCTION_PORT", "8081"),
        ("METRICS_HOST", "0.0.0.0"),
        ("METRICS_PORT", "9099"),
        ("REMOTING_PORT", "2552"),
        ("MANAGEMENT_PORT", "8558"),
        ("SELECTOR_LABEL", "cloudstate.io/stateful-service"),
        ("SELECTOR_LABEL_VALUE", "cart"),
        ("REQUIRED_CONTACT_POINT_NR", "1"),
        ("JAVA_OPTS", "-Xmx256m"),
        ("PUBSUB_PROJECT_ID", "p"),
        ("POSTGRES_SERVICE", "db"),
        ("POSTGRES_PORT", "5432"),
        ("POSTGRES_SCHEMA", "public"),
        ("POSTGRES_DATABASE", "cloudstate"),
        ("POSTGRES_USERNAME", "cloudstate"),
        ("POSTGRES_PASSWORD", "secret"),
        ("POSTGRES_SSLMODE", "disable"),
        ("CASSANDRA_CONTACT_POINTS", "db"),
        ("CASSANDRA_KEYSPACE", "akka"),
        ("CASSANDRA_PORT", "9042"),
        ("SPANNER_INSTANCE", "i"),
        ("GCP_PROJECT", "p"),
        ("AUTOSCALER_ENABLED", "false"),
        ("CONTAINER_CONCURRENCY", "0"),
        ("K_REVISION", "cart-1"),
    ];
    let settings = resolve(&[], &environment).unwrap();
    let expected = Settings {
        listen: ([127, 0, 0, 1], 8013).into(),
        user_function: "127.0.0.1:8081".to_owned(),
        metrics: Some(([0, 0, 0, 0], 9099).into()),
        ..Settings::default()
    };
    assert_eq!(settings, expected);
}

proptest! {
    /// Whatever stands in a variable, the answer is a setting or one line.
    #[test]
    fn any_text_is_a_setting_or_one_clear_line(text in ".{0,40}") {
        for variable in ["HTTP_PORT", "USER_FUNCTION_HOST", "CLOUDSTATE_STORE", "CLOUDSTATE_BACKOFF_MAX",
                         "CLOUDSTATE_MAX_REQUEST_SIZE", "CLOUDSTATE_STASH_SIZE"] {
            if let Err(error) = resolve(&[], &[(variable, &text)]) {
                prop_assert_eq!(error.lines().count(), 1, "{}", error);
                prop_assert!(error.contains(variable) || error.contains("--backoff-min"), "{}", error);
            }
        }
    }
}

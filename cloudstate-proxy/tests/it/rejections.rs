//! Contracts that are refused: one report to the developer, a closed port, and a reason in `/ready`.

use std::sync::Arc;

use cloudstate_proto::{
    Entity, EntitySpec,
    descriptor::{self, ServiceDescriptorProto},
    entity_type,
    google::api::{HttpRule, http_rule::Pattern},
};
use cloudstate_proxy::{Proxy, frontend::http_json::HttpJson, service_catalog::ServiceCatalog};
use proptest::{prelude::*, test_runner::TestRunner};
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tokio::net::TcpStream;

use crate::{
    address::Address,
    contract::{OTHERS, THINGS, entity, passivated_after, spec, spec_of},
    hosted::{host_with, management, ready, rejected, serving, settings},
    user_function::{Setup, UserFunction, reply},
};

/// What is wrong, the spec, and what its developer reads.
fn rejections() -> Vec<(&'static str, EntitySpec, &'static str)> {
    vec![
        (
            "no descriptor set",
            with(|spec| spec.proto = b"\xff\xff".as_slice().into()),
            "not a FileDescriptorSet",
        ),
        (
            "a cyclic import",
            files(&[("a", &["b"]), ("b", &["a"])]),
            "[a] imports itself (dependency path: [a] -> [b])",
        ),
        ("an import of itself", files(&[("a", &["a"])]), "[a] imports itself (dependency path: [a])"),
        (
            "a missing import",
            files(&[("a", &["b"]), ("b", &["c"])]),
            "The descriptor set misses [c] (dependency path: [a] -> [b])",
        ),
        ("an unknown type", unknown_type(), "the descriptor set is inconsistent"),
        ("no entities", with(|spec| spec.entities.clear()), "discovery reported no entities"),
        (
            "an unknown service",
            with(|spec| spec.entities[1].service_name = "test.Nothing".to_owned()),
            "Service [test.Nothing] not found in descriptors!",
        ),
        (
            "a service in another package",
            with(|spec| spec.entities[1].service_name = "Others".to_owned()),
            "Service [Others] not found in descriptors!",
        ),
        (
            "names are case sensitive",
            with(|spec| spec.entities[1].service_name = "test.others".to_owned()),
            "Service [test.others] not found in descriptors!",
        ),
        (
            "an unsupported entity type",
            with(|spec| spec.entities[0].entity_type = "test.Unknown".to_owned()),
            "Service [test.Things] has the entity type [test.Unknown], which this proxy does not support; it \
             supports: cloudstate.eventsourced.EventSourced,cloudstate.valueentity.ValueEntity,\
             cloudstate.crdt.Crdt,cloudstate.action.ActionProtocol",
        ),
        (
            "streamed methods",
            methods(
                "rpc A(stream Request) returns (Reply); rpc B(Request) returns (Reply); \
                     rpc C(Request) returns (stream Reply);",
            ),
            "Event sourced entities do not support streamed methods, but [test.Things] has: A,C",
        ),
        (
            "streamed methods of a value entity",
            of_type(entity_type::VALUE_ENTITY, methods("rpc A(Request) returns (stream Reply);")),
            "Value entities do not support streamed methods, but [test.Things] has: A",
        ),
        (
            "a CRDT entity with streams of requests",
            of_type(
                entity_type::CRDT,
                methods(
                    "rpc A(stream Request) returns (Reply); rpc B(Request) returns (stream Reply); \
                     rpc C(stream Request) returns (stream Reply);",
                ),
            ),
            "CRDT entities do not support methods with a stream of requests, but [test.Things] has: A,C",
        ),
        (
            "a CRDT entity without a key",
            of_type(entity_type::CRDT, methods("rpc A(Reply) returns (stream Reply);")),
            "test.Things/A: the request type test.Reply has no entity key",
        ),
        (
            "no entity key",
            methods("rpc A(Request) returns (Reply); rpc B(Reply) returns (Reply);"),
            "test.Things/B: the request type test.Reply has no entity key",
        ),
        ("a repeated key", key("repeated string id = 1"), "test.Things/Do: the entity key `id` is repeated"),
        ("a message as key", key("Reply id = 1"), "the entity key `id` is a message"),
        (
            "a floating point key",
            key("double id = 1"),
            "the entity key `id` is a message or a floating point number",
        ),
        (
            "a service twice",
            with(|spec| spec.entities[1].service_name = THINGS.to_owned()),
            "Service [test.Things] is registered twice",
        ),
        (
            "a persistence id twice",
            with(|spec| spec.entities[1].persistence_id = spec.entities[0].persistence_id.clone()),
            "Services [test.Things] and [test.Others] have the same persistence id [test.things]",
        ),
        (
            "a source that is none",
            eventing("rpc A(Request) returns (Reply) { option (.cloudstate.eventing).in = {}; };"),
            "test.Things/A: eventing: `in` names no source: give it a `topic` or an `event_log`",
        ),
        (
            "a source without a name",
            eventing(r#"rpc A(Request) returns (Reply) { option (.cloudstate.eventing).in.topic = ""; };"#),
            "test.Things/A: eventing: `in` has a source with an empty name",
        ),
        (
            "a destination that is none",
            eventing("rpc A(Request) returns (Reply) { option (.cloudstate.eventing).out = {}; };"),
            "test.Things/A: eventing: `out` names no destination: give it a `topic`",
        ),
        (
            "a destination without a name",
            eventing(r#"rpc A(Request) returns (Reply) { option (.cloudstate.eventing).out.topic = ""; };"#),
            "test.Things/A: eventing: `out` has a topic with an empty name",
        ),
        (
            "replies that come back",
            eventing(
                r#"rpc A(Request) returns (Reply) {
                       option (.cloudstate.eventing) = { in: { topic: "t" } out: { topic: "t" } };
                   };"#,
            ),
            "test.Things/A: eventing: it would consume what it publishes itself to the topic [t]",
        ),
        (
            "two methods for one type of event",
            eventing(
                r#"rpc A(Request) returns (Reply) { option (.cloudstate.eventing).in.event_log = "log"; };
                   rpc B(Reply) returns (Reply) { option (.cloudstate.eventing).in.event_log = "log"; };
                   rpc C(Request) returns (Reply) {
                       option (.cloudstate.eventing).in = { event_log: "log" consumer_group: "test.Things" };
                   };"#,
            ),
            "Service [test.Things]: [A] and [C] both consume events of the type [test.Request] from the event log [log]",
        ),
        (
            "two services in one group",
            two_consumers(r#"in: { topic: "t" consumer_group: "g" }"#),
            "Services [test.Things] and [test.Others] both consume the topic [t] in the group [g]",
        ),
        (
            "an HTTP rule with an unknown field",
            methods(r#"rpc A(Request) returns (Reply) { option (google.api.http).get = "/{nothing}"; };"#),
            "nothing",
        ),
        (
            "a persistence id without an end",
            with(|spec| spec.entities[1].persistence_id = "a".repeat(1025)),
            "Service [test.Others] has a persistence id of more than 1024 bytes: shorten it",
        ),
        (
            "more parts than are decoded",
            with(|spec| spec.proto = [10, 0].repeat(250_001).into()),
            "the descriptor set has more than 250000 parts",
        ),
        (
            "more services than are served",
            with(|spec| {
                spec.entities = (0..1_001).map(|number| entity(&format!("test.Service{number}"))).collect();
            }),
            "with [test.Service1000] the contract has more than 1000 services",
        ),
        (
            "more rpcs than are served",
            things(|service| {
                let method = service.method[0].clone();
                service.method.resize(10_001, method);
            }),
            "with [test.Things] the contract has more than 10000 rpcs",
        ),
        (
            "more routes than are served",
            routes(10_001, "/a"),
            "with [test.Things/Get] the contract has more than 10000 HTTP routes",
        ),
        (
            "longer paths than are served",
            routes(1_001, &"/a".repeat(524)),
            "with [test.Things/Get] the contract has more than 1048576 bytes of path templates",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_contract_is_explained_once_and_nothing_is_served() {
    for (what, spec, text) in rejections() {
        let mut function = UserFunction::with_spec(spec);
        let mut settings = settings(function.address);
        let closed = Address::new();
        settings.listen = closed.at;
        let proxy = Proxy::start(settings.clone()).await.unwrap();

        let reason = rejected(&proxy).await;
        assert!(reason.contains(text), "{what}: {reason}");
        assert_eq!(function.report().await, reason, "{what}");
        let ready = management(&proxy, "/ready").await;
        assert_eq!(ready.status, 503, "{what}");
        assert!(ready.text().contains(&reason), "{what}: {}", ready.text());
        assert!(TcpStream::connect(settings.listen).await.is_err(), "{what}: the port is open");
        function.discover().await;
        assert!(function.discovers.try_recv().is_err(), "{what}: discovery was repeated");
        assert!(function.reports.try_recv().is_err(), "{what}: reported twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rediscovery_a_refusal_is_final() {
    let function = UserFunction::with_spec(with(|spec| spec.entities.clear()));
    let mut settings = settings(function.address);
    settings.rediscover = false;
    let proxy = Proxy::start(settings).await.unwrap();
    rejected(&proxy).await;
    let address = Some(function.kill());
    ready(&proxy, "the loss to be noticed", |_, text| text.contains("not reachable")).await;

    let mut mended = UserFunction::start(Setup { address, ..Setup::default() });
    let text = ready(&proxy, "the new connection", |_, text| !text.contains("not reachable")).await;
    assert!(text.contains("discovery reported no entities"), "{text}");
    assert!(mended.discovers.try_recv().is_err(), "discovered again");
    assert!(mended.reports.try_recv().is_err(), "reported again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_contract_is_served() {
    let function = UserFunction::with_spec(with(|spec| spec.entities.clear()));
    let proxy = Proxy::start(settings(function.address)).await.unwrap();
    rejected(&proxy).await;
    let address = Some(function.kill());

    let mut mended = UserFunction::start(Setup { address, ..Setup::default() });
    mended.serve(|_, command| reply(command.id, "mended"));
    let mut status = proxy.status();
    let is_serving =
        |status: &cloudstate_proxy::Status| matches!(status, cloudstate_proxy::Status::Serving(_));
    crate::user_function::soon("serving", status.wait_for(is_serving)).await.unwrap();
    let client = crate::client::Client::connect(serving(&proxy).await.listen).await;
    assert_eq!(client.act("a", "").await.reply(), "mended");
    ready(&proxy, "ready", |status, _| status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_odd_but_usable_is_a_warning() {
    let mut spec = passivated_after(0);
    spec.entities[1].persistence_id = String::new();
    let function = UserFunction::with_spec(spec);
    let (proxy, _client) = host_with(settings(function.address)).await;
    let warnings = serving(&proxy).await.warnings.join("\n");
    assert!(warnings.contains("Service [test.Things] asks for passivation after 0 ms"), "{warnings}");
    assert!(warnings.contains("Service [test.Others] has no persistence id"), "{warnings}");
}

/// Consumers that know what is theirs; a log that nobody here writes is a warning.
#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_are_clear_are_served() {
    let methods = r#"
        rpc A(Request) returns (Reply) { option (.cloudstate.eventing).in.event_log = "log"; };
        rpc B(Reply) returns (Reply) { option (.cloudstate.eventing).in.event_log = "log"; };
        rpc C(Request) returns (Reply) {
            option (.cloudstate.eventing) = {
                in: { event_log: "log" consumer_group: "other" } out: { topic: "log" }
            };
        };
        rpc D(Request) returns (Reply) { option (.cloudstate.eventing).in.topic = "log"; };
        rpc E(Request) returns (Reply) { option (.cloudstate.eventing).out.topic = "log"; };
    "#;
    let function = UserFunction::with_spec(eventing(methods));
    let (proxy, _client) = host_with(settings(function.address)).await;
    let warnings = &serving(&proxy).await.warnings;
    for method in ["A", "B", "C"] {
        let warning =
            format!("test.Things.{method} consumes the event log [log], but no event sourced entity");
        assert!(warnings.iter().any(|text| text.starts_with(&warning)), "{method}: {warnings:?}");
    }
    assert_eq!(warnings.len(), 3);

    let function = UserFunction::with_spec(two_consumers(r#"in: { topic: "t" }"#));
    let (proxy, _client) = host_with(settings(function.address)).await;
    assert!(serving(&proxy).await.warnings.is_empty(), "each service has a group of its own");
}

/// Changes a few bytes of a contract at a time: whatever comes of it, nothing panics.
#[test]
fn damaged_contracts_are_refused_or_served() {
    let whole = spec().proto;
    let damage = proptest::collection::vec((0..whole.len(), any::<u8>()), 1..4);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() });
    runner
        .run(&damage, |damage| {
            let mut proto = whole.to_vec();
            for (at, byte) in damage {
                proto[at] = byte;
            }
            if let Ok(catalog) = ServiceCatalog::new(EntitySpec { proto: proto.into(), ..spec() }, false) {
                let _ = HttpJson::new(&Arc::new(catalog));
            }
            Ok(())
        })
        .unwrap();
}

/// As deep as the limit of messages allows is deeper than any stack, and than what can be walked twice over.
#[test]
fn deep_imports_are_walked_in_one_go() {
    const FILES: usize = 50_000;
    let names: Vec<String> = (0..=FILES).map(|number| number.to_string()).collect();
    let imports: Vec<[&str; 1]> = names.iter().skip(1).map(|name| [name.as_str()]).collect();
    let chain: Vec<_> =
        names.iter().map(String::as_str).zip(imports.iter().map(|import| &import[..])).collect();
    let Err(rejection) = ServiceCatalog::new(files(&chain), false) else { panic!("accepted") };
    assert!(rejection.0.starts_with(&format!("The descriptor set misses [{FILES}] ")));
}

/// It is logged, reported, and shown by `/ready`.
#[test]
fn a_rejection_is_as_long_as_can_be_read() {
    let long = "ä".repeat(1024 * 1024);
    let Err(rejection) = ServiceCatalog::new(with(|spec| spec.entities[1].service_name = long), false) else {
        panic!("accepted")
    };
    assert!(rejection.0.starts_with("Service [ää") && rejection.0.ends_with("ä…"));
    assert!(rejection.0.len() < 10_000, "{} bytes", rejection.0.len());
}

/// What a compiler of contracts could cut off.
#[test]
fn truncated_contracts_are_refused_or_served() {
    let whole = spec().proto;
    for end in (0..whole.len()).step_by(97) {
        let proto = whole.slice(..end);
        let catalog = ServiceCatalog::new(EntitySpec { proto, ..spec() }, false);
        assert!(catalog.is_err(), "accepted with {end} of {} bytes", whole.len());
    }
}

fn with(change: impl FnOnce(&mut EntitySpec)) -> EntitySpec {
    let mut spec = spec();
    change(&mut spec);
    spec
}

/// [`spec`] with another `test.Things`.
fn things(change: impl FnOnce(&mut ServiceDescriptorProto)) -> EntitySpec {
    let mut set = descriptor::FileDescriptorSet::decode(&*spec().proto).unwrap();
    let file = set.file.iter_mut().find(|file| file.name == "test.proto").unwrap();
    change(file.service.iter_mut().find(|service| service.name == "Things").unwrap());
    EntitySpec { proto: set.encode_to_vec().into(), ..spec() }
}

/// [`spec`] with so many more routes.
fn routes(count: usize, path: &str) -> EntitySpec {
    things(|service| {
        let method = service.method.iter_mut().find(|method| method.name == "Get").unwrap();
        let rule = method.options.as_mut().unwrap().http.as_mut().unwrap();
        let more = HttpRule { pattern: Some(Pattern::Get(path.to_owned())), ..HttpRule::default() };
        rule.additional_bindings.resize(count, more);
    })
}

/// A contract with one service of these methods.
fn methods(methods: &str) -> EntitySpec {
    let contract = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        import "google/api/annotations.proto";
        message Request { string id = 1 [(.cloudstate.entity_key) = true]; }
        message Reply {}
        service Things { METHODS }
    "#;
    spec_of(&contract.replace("METHODS", methods), &[THINGS])
}

/// A contract with one action of these methods.
fn eventing(methods: &str) -> EntitySpec {
    of_type(
        entity_type::ACTION,
        spec_of(&EVENTING.replace("THINGS", methods).replace("OTHERS", ""), &[THINGS]),
    )
}

/// A contract with two actions that have one method each with this option.
fn two_consumers(option: &str) -> EntitySpec {
    let method =
        format!("rpc Do(Request) returns (Reply) {{ option (.cloudstate.eventing) = {{ {option} }}; }};");
    let contract = EVENTING.replace("THINGS", &method).replace("OTHERS", &method);
    of_type(entity_type::ACTION, spec_of(&contract, &[THINGS, OTHERS]))
}

const EVENTING: &str = r#"
    syntax = "proto3";
    package test;
    import "cloudstate/eventing.proto";
    message Request { string id = 1; }
    message Reply {}
    service Things { THINGS }
    service Others { OTHERS }
"#;

/// The same contract, its services of this entity type.
fn of_type(entity_type: &str, spec: EntitySpec) -> EntitySpec {
    let entities =
        spec.entities.into_iter().map(|entity| Entity { entity_type: entity_type.to_owned(), ..entity });
    EntitySpec { entities: entities.collect(), ..spec }
}

/// A contract whose entity key is declared so.
fn key(field: &str) -> EntitySpec {
    let contract = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        message Request { FIELD [(.cloudstate.entity_key) = true]; }
        message Reply {}
        service Things { rpc Do(Request) returns (Reply); }
    "#;
    spec_of(&contract.replace("FIELD", field), &[THINGS])
}

/// Files (name, imports) with nothing else in them.
fn files(files: &[(&str, &[&str])]) -> EntitySpec {
    let file = |(name, imports): &(&str, &[&str])| FileDescriptorProto {
        name: Some((*name).to_owned()),
        dependency: imports.iter().map(|import| (*import).to_owned()).collect(),
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: files.iter().map(file).collect() };
    EntitySpec { proto: set.encode_to_vec().into(), entities: vec![entity(OTHERS)], ..spec() }
}

fn unknown_type() -> EntitySpec {
    let mut set = FileDescriptorSet::decode(&*spec().proto).unwrap();
    let file = set.file.iter_mut().find(|file| file.name() == "test.proto").unwrap();
    file.service[0].method[0].output_type = Some(".test.Nothing".to_owned());
    EntitySpec { proto: set.encode_to_vec().into(), ..spec() }
}

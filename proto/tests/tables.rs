//! Holds the `.proto` texts, and what is generated from them, against the tables of the protocol in `tests/tables/`.
//!
//! | File | A line |
//! |---|---|
//! | `messages.txt` | message, number, name and type of a field, then `in <oneof>` or `key`; `-`: no fields |
//! | `services.txt` | gRPC path, request `->` reply, `stream` before what is streamed |
//! | `enums.txt` | enum, number and name of a value |
//! | `encodings.txt` | message, its bytes in hex, `#` what they say |

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::{collections::BTreeSet, fmt::Debug};

use bytes::Bytes;
use cloudstate_proto::{
    Any, Entity, ServiceInfo, action,
    client_action::Action,
    crdt,
    descriptor::FileDescriptorSet,
    entity_passivation_strategy::Strategy,
    eventsourced::{
        EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_stream_in::Message as In,
        event_sourced_stream_out::Message as Out,
    },
    sources, valueentity,
};
use prost::Message;
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
    prost_reflect::{DescriptorPool, ExtensionDescriptor, FieldDescriptor, Kind},
};

#[test]
fn messages_are_those_of_the_protocol() {
    let pool = compiled();
    let entity_key = extension(&pool, "cloudstate.entity_key");
    let mut found = BTreeSet::new();
    for message in pool.all_messages().filter(|message| is_ours(message.package_name())) {
        if message.fields().len() == 0 {
            found.insert(format!("{} -", message.full_name()));
        }
        found.extend(message.fields().map(|field| describe(&field, &entity_key)));
    }
    assert_same(include_str!("tables/messages.txt"), &found);
}

#[test]
fn services_are_those_of_the_protocol() {
    let mut found = BTreeSet::new();
    for service in compiled().services() {
        for method in service.methods() {
            let stream = |streams| if streams { "stream " } else { "" };
            found.insert(format!(
                "/{}/{} {}{} -> {}{}",
                service.full_name(),
                method.name(),
                stream(method.is_client_streaming()),
                method.input().full_name(),
                stream(method.is_server_streaming()),
                method.output().full_name()
            ));
        }
    }
    assert_same(include_str!("tables/services.txt"), &found);
}

#[test]
fn enums_are_those_of_the_protocol() {
    let mut found = BTreeSet::new();
    for described in compiled().all_enums().filter(|described| is_ours(described.package_name())) {
        for value in described.values() {
            found.insert(format!("{} {} {}", described.full_name(), value.number(), value.name()));
        }
    }
    assert_same(include_str!("tables/enums.txt"), &found);
}

#[test]
fn options_are_those_of_the_protocol() {
    let mut found = BTreeSet::new();
    for option in compiled().all_extensions() {
        let (name, extendee) = (option.full_name(), option.containing_message());
        found.insert(format!("{} {name} {} {}", extendee.full_name(), option.number(), kind(&option.kind())));
    }
    let table = "
        google.protobuf.FieldOptions cloudstate.entity_key 1080 bool
        google.protobuf.FieldOptions cloudstate.legacy_entity_key 50002 bool
        google.protobuf.MethodOptions cloudstate.eventing 1081 cloudstate.Eventing
        google.protobuf.MethodOptions google.api.http 72295728 google.api.HttpRule
    ";
    assert_same(table, &found);
}

/// A proxy finds these options by their bytes, so a descriptor set must hold exactly them.
#[test]
fn options_have_the_bytes_that_other_compilers_write() {
    let pool = compiled();
    let http = |path: &str| {
        let rule = [&[0x22, path.len() as u8], path.as_bytes(), b"\x3a\x01\x2a"].concat();
        [b"\x82\xd3\xe4\x93\x02", &[rule.len() as u8][..], &rule].concat()
    };
    let event_log = |log: &str| [b"\xca\x43\x18\x0a\x16\x1a\x14", log.as_bytes()].concat();
    let cases = [
        ("cloudstate.tck.model.EventSourcedTckModel.Process", http("/tck/model/eventsourced/{id}")),
        ("cloudstate.tck.model.valueentity.ValueEntityTckModel.Process", http("/tck/model/entity/{id}")),
        ("cloudstate.tck.model.crdt.CrdtTckModel.Process", http("/tck/model/crdt/{id}")),
        ("cloudstate.tck.model.action.ActionTckModel.ProcessUnary", http("/tck/model/action/unary")),
        (
            "cloudstate.tck.model.eventlogeventing.EventLogSubscriberModel.ProcessEventOne",
            event_log("eventlogeventing-one"),
        ),
        (
            "cloudstate.tck.model.eventlogeventing.EventLogSubscriberModel.ProcessEventTwo",
            event_log("eventlogeventing-one"),
        ),
        (
            "cloudstate.tck.model.eventlogeventing.EventLogSubscriberModel.ProcessAnyEvent",
            event_log("eventlogeventing-two"),
        ),
    ];
    for (name, expected) in cases {
        let (service, method) = name.rsplit_once('.').unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let method = service.methods().find(|found| found.name() == method).unwrap();
        assert_eq!(method.options().encode_to_vec(), expected, "{name}");
    }
    let request = pool.get_message_by_name("cloudstate.tck.model.Request").unwrap();
    let key = request.get_field_by_name("id").unwrap();
    assert_eq!(key.options().encode_to_vec(), [0xc0, 0x43, 0x01]);
}

/// [`cloudstate_proto::descriptor`] reads what those bytes say.
#[test]
fn descriptors_show_the_options() {
    let set = FileDescriptorSet::decode(&*compiler().encode_file_descriptor_set()).unwrap();
    let file = |name: &str| set.file.iter().find(|file| file.name == name).unwrap();
    let model = file("cloudstate/tck/model/eventsourced.proto");
    let request = model.message_type.iter().find(|message| message.name == "Request").unwrap();
    let keys: Vec<_> = request.field.iter().filter(|field| field.is_entity_key()).collect();
    assert_eq!(keys.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["id"]);
    let options = model.service[0].method[0].options.as_ref().unwrap();
    assert_eq!(options.http.as_ref().unwrap().body, "*");
    let subscriber = file("cloudstate/tck/model/eventlogeventing.proto");
    let methods = subscriber.service.iter().flat_map(|service| &service.method);
    let subscribed = methods.filter(|method| method.options.as_ref().is_some_and(|o| o.eventing.is_some()));
    assert_eq!(subscribed.count(), 3);
}

#[test]
fn worked_encodings_survive_a_round_trip() {
    let mut seen = 0;
    for (name, bytes, meaning) in encodings() {
        let again = match name {
            "google.protobuf.Any" => again::<Any>(&bytes),
            "cloudstate.ServiceInfo" => again::<ServiceInfo>(&bytes),
            "cloudstate.Entity" => again::<Entity>(&bytes),
            "cloudstate.eventsourced.EventSourcedStreamIn" => again::<EventSourcedStreamIn>(&bytes),
            "cloudstate.eventsourced.EventSourcedStreamOut" => again::<EventSourcedStreamOut>(&bytes),
            "cloudstate.valueentity.ValueEntityStreamIn" => again::<valueentity::ValueEntityStreamIn>(&bytes),
            "cloudstate.action.ActionCommand" => again::<action::ActionCommand>(&bytes),
            "cloudstate.action.ActionResponse" => again::<action::ActionResponse>(&bytes),
            "cloudstate.crdt.CrdtStreamOut" => again::<crdt::CrdtStreamOut>(&bytes),
            "cloudstate.crdt.CrdtDelta" => again::<crdt::CrdtDelta>(&bytes),
            unknown => panic!("encodings.txt names {unknown}, which this test does not know"),
        };
        assert_eq!(again, bytes, "{name}: {meaning}");
        seen += 1;
    }
    assert_eq!(seen, 33);
}

#[test]
fn worked_encodings_mean_what_they_say() {
    let info: ServiceInfo = encoding("versions 0 and 2 only");
    assert_eq!(info, ServiceInfo { protocol_minor_version: 2, ..ServiceInfo::default() });

    let entity: Entity = encoding("timeout 100 ms");
    assert_eq!((&*entity.service_name, &*entity.persistence_id), ("S", "p"));
    let Some(Strategy::Timeout(timeout)) = entity.passivation_strategy.unwrap().strategy else { panic!() };
    assert_eq!(timeout.timeout, 100);

    let init: EventSourcedStreamIn = encoding("init: service S, entity e1, no snapshot");
    let Some(In::Init(init)) = init.message else { panic!("{init:?}") };
    assert_eq!((&*init.service_name, &*init.entity_id, init.snapshot), ("S", "e1", None));

    let reply: EventSourcedStreamOut = encoding("one event = string \"abc\"");
    let Some(Out::Reply(reply)) = reply.message else { panic!("{reply:?}") };
    assert_eq!(reply.command_id, 1);
    assert_eq!(reply.events[0].type_url, "p.cloudstate.io/string");
    assert_eq!(reply.events[0].value, b"\x0a\x03abc".as_slice());

    let failed: EventSourcedStreamOut = encoding("client failure id 2, text no, restart");
    let Some(Out::Reply(failed)) = failed.message else { panic!("{failed:?}") };
    let Some(Action::Failure(failure)) = failed.client_action.unwrap().action else { panic!() };
    assert_eq!((failure.command_id, &*failure.description, failure.restart), (2, "no", true));
    assert_eq!(failure.grpc_status_code, 0);

    let register: crdt::CrdtDelta = encoding("lwwregister, value string \"\", CUSTOM, 7");
    let Some(crdt::crdt_delta::Delta::Lwwregister(register)) = register.delta else { panic!() };
    assert_eq!((register.clock(), register.custom_clock_value), (crdt::CrdtClock::Custom, 7));
    assert_eq!(register.value.unwrap().value, Bytes::new());

    let counter: crdt::CrdtDelta = encoding("pncounter, change -1");
    let Some(crdt::crdt_delta::Delta::Pncounter(counter)) = counter.delta else { panic!() };
    assert_eq!(counter.change, -1);
}

#[test]
fn the_value_of_an_any_is_a_slice_of_the_message_it_came_in() {
    let (_, bytes, _) =
        encodings().into_iter().find(|(_, _, meaning)| meaning.contains("one event = string")).unwrap();
    let source = Bytes::from(bytes);
    let Some(Out::Reply(reply)) = EventSourcedStreamOut::decode(source.clone()).unwrap().message else {
        panic!("no reply");
    };
    let value = &reply.events[0].value;
    assert!(!value.is_empty());
    assert!(source.as_ptr_range().contains(&value.as_ptr()), "the payload was copied");
}

// What the texts say, in the form of the tables.

fn describe(field: &FieldDescriptor, entity_key: &ExtensionDescriptor) -> String {
    let message = field.parent_message().full_name();
    let repeated = if field.is_list() { "repeated " } else { "" };
    let mut line = format!("{message} {} {} {repeated}{}", field.number(), field.name(), kind(&field.kind()));
    if let Some(oneof) = field.containing_oneof() {
        line += &format!(" in {}", oneof.name());
    }
    if field.options().has_extension(entity_key) {
        line += " key";
    }
    line
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(described) => described.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn is_ours(package: &str) -> bool {
    package.starts_with("cloudstate") || package == "google.api"
}

fn extension(pool: &DescriptorPool, name: &str) -> ExtensionDescriptor {
    pool.get_extension_by_name(name).unwrap()
}

fn compiled() -> DescriptorPool {
    compiler().descriptor_pool()
}

/// Compiles from [`sources`] alone, as `cloudstate-build` does in a user's build.
fn compiler() -> Compiler {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    for (path, _) in all_sources() {
        compiler.open_file(path).unwrap();
    }
    compiler
}

fn all_sources() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [sources::PROTOCOL, sources::FRONTEND, sources::TCK].into_iter().flatten()
}

struct Sources;

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let found = all_sources().find(|(path, _)| *path == name);
        found.map_or(Err(protox::Error::file_not_found(name)), |(path, text)| File::from_source(path, text))
    }
}

#[track_caller]
fn assert_same(table: &str, found: &BTreeSet<String>) {
    let table = table.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
    let table: BTreeSet<_> = table.collect();
    let missing: Vec<_> = table.difference(found).collect();
    let extra: Vec<_> = found.difference(&table).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:#?}\nextra: {extra:#?}");
}

// The worked encodings.

fn encodings() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let lines = include_str!("tables/encodings.txt").lines().filter(|line| !line.is_empty());
    let parts = lines.map(|line| {
        let (encoding, meaning) = line.split_once('#').unwrap();
        let (name, hex) = encoding.trim().split_once(' ').unwrap();
        (name, unhex(hex), meaning.trim())
    });
    parts.collect()
}

/// The one encoding whose description contains `meaning`.
#[track_caller]
fn encoding<M: Message + Default>(meaning: &str) -> M {
    let mut found = encodings().into_iter().filter(|(_, _, described)| described.contains(meaning));
    let (_, bytes, _) = found.next().unwrap();
    assert!(found.next().is_none(), "{meaning} is described twice");
    M::decode(&*bytes).unwrap()
}

fn again<M: Message + Default + Debug>(bytes: &[u8]) -> Vec<u8> {
    M::decode(bytes).unwrap().encode_to_vec()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

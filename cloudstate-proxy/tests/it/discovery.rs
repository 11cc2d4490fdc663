//! Finding the user function, introducing itself to it, and accepting its contract.

use std::net::{SocketAddr, TcpListener};

use cloudstate_proto::{ServiceInfo, entity_type};
use cloudstate_proxy::{Proxy, StartError, Status};
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    address::Address,
    client::Client,
    contract::{THINGS, spec, spec_of},
    hosted::{host, ready, rejected, serving, settings},
    user_function::{Setup, UserFunction},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_waits_for_its_user_function_with_its_port_closed() {
    let (function_address, closed) = (Address::new(), Address::new());
    let mut settings = settings(function_address.at);
    settings.listen = closed.at;
    let proxy = Proxy::start(settings.clone()).await.unwrap();

    ready(&proxy, "the reason for not being ready", |status, text| {
        status == 503 && text.contains("connecting to the user function: no connection")
    })
    .await;
    assert!(TcpStream::connect(settings.listen).await.is_err(), "the port is open before discovery");

    let mut function = UserFunction::start(Setup { address: Some(function_address), ..Setup::default() });
    assert_eq!(serving(&proxy).await.listen, settings.listen);
    Client::connect(settings.listen).await;
    function.discover().await;
    assert!(function.discovers.try_recv().is_err(), "discovery was repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_discovery_is_tried_again() {
    let mut function = UserFunction::start(Setup { failing_discovers: 3, ..Setup::default() });
    let proxy = Proxy::start(settings(function.address)).await.unwrap();
    serving(&proxy).await;
    for _ in 0..4 {
        function.discover().await;
    }
    assert!(function.discovers.try_recv().is_err());
    assert!(function.reports.try_recv().is_err(), "a call that failed is not the developer's mistake");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_introduces_itself() {
    let mut function = UserFunction::new();
    let (_proxy, _client) = host(&function).await;
    let discover = function.discover().await;
    assert_eq!(discover.info.protocol_major_version, 0);
    assert_eq!(discover.info.protocol_minor_version, 2);
    assert!(!discover.info.proxy_name.is_empty());
    assert!(!discover.info.proxy_version.is_empty());
    let all = [entity_type::EVENT_SOURCED, entity_type::VALUE_ENTITY, entity_type::CRDT, entity_type::ACTION];
    assert_eq!(discover.info.supported_entity_types, all);
    assert_eq!(discover.extensions.as_deref(), Some("status-code,trace-context"));
}

/// (major, minor), whether it is accepted, whether it is accepted when told to be strict.
const VERSIONS: [((i32, i32), bool, bool); 6] = [
    ((0, 2), true, true),
    ((0, 1), true, false),
    ((0, 0), true, false),
    ((0, 3), false, false),
    ((1, 2), false, false),
    ((-1, 2), false, false),
];

#[tokio::test(flavor = "multi_thread")]
async fn protocol_versions_are_accepted_as_the_policy_says() {
    for ((major, minor), lenient, strict) in VERSIONS {
        for (is_strict, accepted) in [(false, lenient), (true, strict)] {
            let mut spec = spec();
            spec.service_info = Some(ServiceInfo {
                protocol_major_version: major,
                protocol_minor_version: minor,
                ..ServiceInfo::default()
            });
            let function = UserFunction::with_spec(spec);
            let mut settings = settings(function.address);
            settings.strict_protocol_version = is_strict;
            let proxy = Proxy::start(settings).await.unwrap();
            if accepted {
                let warned =
                    serving(&proxy).await.warnings.iter().any(|text| text.contains("protocol version"));
                assert_eq!(warned, (major, minor) != (0, 2), "{major}.{minor}");
            } else {
                let reason = rejected(&proxy).await;
                let text = format!("Incompatible protocol version {major}.{minor}, only 0.2 is supported");
                assert_eq!(reason, text);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_service_info_is_version_0_0() {
    let mut spec = spec();
    spec.service_info = None;
    let function = UserFunction::with_spec(spec);
    let mut settings = settings(function.address);
    settings.strict_protocol_version = true;
    let proxy = Proxy::start(settings).await.unwrap();
    assert_eq!(rejected(&proxy).await, "Incompatible protocol version 0.0, only 0.2 is supported");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_legacy_key_option_is_as_good_as_the_current_one() {
    let contract = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/legacy_entity_key.proto";
        message Request { string text = 2; string id = 1 [(.cloudstate.legacy_entity_key) = true]; }
        message Reply {}
        service Things { rpc Do(Request) returns (Reply); }
    "#;
    let mut function = UserFunction::with_spec(spec_of(contract, &[THINGS]));
    let (_proxy, client) = host(&function).await;
    tokio::spawn(async move { client.act("old", "").await });
    assert_eq!(function.activation().await.1.entity_id, "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_descriptor_set_may_come_in_any_order_and_twice() {
    let mut files = FileDescriptorSet::decode(&*spec().proto).unwrap();
    assert!(files.file.len() > 2);
    // Each file on its own is a set of one, and sets are concatenated; so the options, which these types do not
    // know, are not lost.
    let names: Vec<_> = files.file.drain(..).map(|file| file.name().to_owned()).collect();
    let single = |name: &str| single_file(&spec().proto, name);
    let reversed: Vec<u8> = names.iter().rev().flat_map(|name| single(name)).collect();
    let twice = [reversed.clone(), reversed].concat();
    let mut spec = spec();
    spec.proto = twice.into();
    let mut function = UserFunction::with_spec(spec);
    let (_proxy, client) = host(&function).await;
    function.serve(|_, command| crate::user_function::reply(command.id, "fine"));
    assert_eq!(client.act("a", "").await.reply(), "fine");
    assert_eq!(client.get("/things/a").await.text(), r#"{"text":"fine"}"#);
}

/// The bytes of one file within a descriptor set, as a set of its own.
fn single_file(set: &[u8], name: &str) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct RawSet {
        #[prost(bytes = "vec", repeated, tag = "1")]
        file: Vec<Vec<u8>>,
    }
    let set = RawSet::decode(set).unwrap();
    let is_it = |file: &Vec<u8>| prost_types::FileDescriptorProto::decode(&**file).unwrap().name() == name;
    RawSet { file: set.file.into_iter().filter(is_it).collect() }.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_refused_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = Address::new();
    let mut settings = settings(nobody.at);
    settings.listen = taken.local_addr().unwrap();
    let Err(error) = Proxy::start(settings.clone()).await else { panic!("started on a taken port") };
    assert!(matches!(error, StartError::Listen(..)), "{error}");
    assert!(error.to_string().contains(&settings.listen.to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_management_port_is_refused_unless_it_is_optional() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.management = Some(taken.local_addr().unwrap());
    let Err(error) = Proxy::start(settings.clone()).await else { panic!("started on a taken port") };
    assert!(matches!(error, StartError::Management(..)), "{error}");

    settings.management_optional = true;
    let proxy = Proxy::start(settings).await.unwrap();
    serving(&proxy).await;
    assert_eq!(proxy.management_address(), None);
}

/// Somebody takes the port while the proxy waits for its user function.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_was_taken_meanwhile_is_a_failure_with_a_reason() {
    let (function_address, listen) = (Address::new(), Address::new());
    let mut settings = settings(function_address.at);
    settings.listen = listen.at;
    let proxy = Proxy::start(settings.clone()).await.unwrap();
    let _taken = listen.socket().listen(1).unwrap();
    let _function = UserFunction::start(Setup { address: Some(function_address), ..Setup::default() });
    let text = ready(&proxy, "a failure", |_, text| text.contains("cannot listen")).await;
    assert!(text.contains(&settings.listen.to_string()), "{text}");
    assert!(matches!(&*proxy.status().borrow(), Status::Failed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_refused() {
    for address in ["nowhere", ":8080", "host:", "host:99999", "a b:80"] {
        let mut settings = settings(SocketAddr::from(([127, 0, 0, 1], 0)));
        settings.user_function = address.to_owned();
        let Err(error) = Proxy::start(settings).await else { panic!("{address} was accepted") };
        assert!(error.to_string().contains(address), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_is_as_good_as_an_address() {
    let function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.user_function = format!("localhost:{}", function.address.port());
    serving(&Proxy::start(settings).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_on_the_port_of_the_user_function_is_named_as_the_reason() {
    let something_else = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(settings(something_else.local_addr().unwrap())).await.unwrap();
    let answering = async {
        loop {
            let (mut tcp, _) = something_else.accept().await.unwrap();
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    };
    let reason = ready(&proxy, "the reason", |_, text| text.contains("does not speak HTTP/2"));
    tokio::select! {
        _ = answering => {}
        text = reason => assert!(text.starts_with("connecting to the user function"), "{text}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_over_the_limit_is_named_as_the_reason_and_tried_again() {
    let mut function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.max_inbound_message_size = 100;
    let proxy = Proxy::start(settings).await.unwrap();
    let text = ready(&proxy, "the reason", |_, text| text.contains("too large")).await;
    assert!(text.contains("100 bytes"), "{text}");
    function.discover().await;
    function.discover().await;
}

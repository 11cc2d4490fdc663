//! Unless `rediscover` is off, a user function that comes back is asked again what it serves.

use cloudstate_proto::EntitySpec;
use cloudstate_proxy::{Proxy, Status};
use tonic::Code;

use crate::{
    address::Address,
    client::Client,
    contract::{THINGS, spec, spec_of},
    hosted::{host_with, ready, rejected, serving, settings},
    user_function::{Setup, UserFunction, reply, soon},
    value_function,
};

fn with_route(path: &str) -> EntitySpec {
    let contract = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        import "google/api/annotations.proto";
        message Request { string id = 1 [(.cloudstate.entity_key) = true]; }
        message Reply { string text = 1; }
        service Things { rpc Get(Request) returns (Reply) { option (google.api.http).get = "PATH"; }; }
    "#;
    spec_of(&contract.replace("PATH", path), &[THINGS])
}

fn answering(spec: EntitySpec, address: Option<Address>, text: &'static str) -> UserFunction {
    let mut function = UserFunction::start(Setup { spec, address, ..Setup::default() });
    function.serve(move |_, command| reply(command.id, text));
    function
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_contract_brings_new_routes_to_open_connections() {
    let old = answering(with_route("/old/{id}"), None, "old");
    let proxy = Proxy::start(settings(old.address)).await.unwrap();
    let serving_old = serving(&proxy).await;
    assert_eq!(serving_old.routes[0].template, "/old/{id}");
    let client = Client::connect(serving_old.listen).await;
    assert_eq!(client.get("/old/a").await.text(), r#"{"text":"old"}"#);

    let mut status = proxy.status();
    status.mark_unchanged();
    let _new = answering(with_route("/new/{id}"), Some(old.kill()), "new");
    soon("the new contract", status.changed()).await.unwrap();
    let Status::Serving(serving_new) = status.borrow().clone() else { panic!("not serving") };
    assert_eq!(serving_new.listen, serving_old.listen);
    assert_eq!(serving_new.routes[0].template, "/new/{id}");
    assert_eq!(client.get("/new/a").await.text(), r#"{"text":"new"}"#);
    assert_eq!(client.get("/old/a").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_breaks_is_refused_until_it_is_mended() {
    let good = answering(spec(), None, "first");
    let proxy = Proxy::start(settings(good.address)).await.unwrap();
    let client = Client::connect(serving(&proxy).await.listen).await;
    assert_eq!(client.act("a", "").await.reply(), "first");

    let mut broken = spec();
    broken.entities[0].service_name = "test.Gone".to_owned();
    let mut bad = answering(broken, Some(good.kill()), "never");
    let reason = rejected(&proxy).await;
    assert_eq!(reason, "Service [test.Gone] not found in descriptors!");
    assert_eq!(bad.report().await, reason);
    assert_eq!(client.act("a", "").await.code, Code::Unavailable);
    let page = client.get("/things/a").await;
    assert_eq!(page.status, 503);
    assert!(page.text().contains(&reason), "{}", page.text());

    let _good = answering(spec(), Some(bad.kill()), "second");
    let mut status = proxy.status();
    let is_serving = |status: &Status| matches!(status, Status::Serving(_));
    soon("serving again", status.wait_for(is_serving)).await.unwrap();
    assert_eq!(client.act("a", "").await.reply(), "second");
}

/// Events cannot be read as a state, so a contract that changes the kind of what is stored is no contract.
#[tokio::test(flavor = "multi_thread")]
async fn stored_entities_keep_their_kind() {
    let events = answering(spec(), None, "first");
    let proxy = Proxy::start(settings(events.address)).await.unwrap();
    let client = Client::connect(serving(&proxy).await.listen).await;
    assert_eq!(client.act("a", "").await.reply(), "first");
    let mut values = answering(value_function::spec(), Some(events.kill()), "never");
    let reason = rejected(&proxy).await;
    assert!(reason.starts_with("Service [test.Things] has another entity type than before"), "{reason}");
    assert_eq!(values.report().await, reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_it_a_contract_is_read_once() {
    let function = answering(spec(), None, "first");
    let mut settings = settings(function.address);
    settings.rediscover = false;
    let (proxy, client) = host_with(settings).await;
    let address = function.kill();
    ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    let mut back = answering(with_route("/new/{id}"), Some(address), "second");
    ready(&proxy, "the function to be back", |status, _| status == 200).await;
    assert_eq!(client.get("/things/a").await.text(), r#"{"text":"second"}"#);
    assert!(back.discovers.try_recv().is_err(), "discovered again");
}

use cloudstate_proto::descriptor::{FieldOptions, MethodOptions};
use cloudstate_proto::google::api::CustomHttpPattern;

use super::*;
use crate::conversation::{Host as Starts, Live, Protocol, Terms};
use crate::fault::Fault;
use crate::registration::Host;

/// Never started.
struct Nobody;

impl<P: Protocol> Starts<P> for Nobody {
    fn start(&self, _: P::Init, _: Terms) -> Result<Box<dyn Live<P>>, Fault> {
        Err(Fault::hydration("nobody"))
    }
}

fn shop() -> Component {
    Component {
        service: "shop.Shop",
        descriptors: b"",
        persistence_id: "shop",
        passivate_after: None,
        package: None,
        type_name: "Shop",
        host: Host::EventSourced(Box::new(Nobody)),
    }
}

/// `shop.Shop` with the rpc `Buy(Order) returns (Bill)`.
fn descriptors() -> FileDescriptorSet {
    let field = |name: &str, r#type: Type| FieldDescriptorProto {
        name: name.into(),
        label: Label::Optional as i32,
        r#type: r#type as i32,
        ..Default::default()
    };
    let key = FieldDescriptorProto {
        options: Some(FieldOptions { entity_key: true, ..Default::default() }),
        ..field("id", Type::String)
    };
    let tags = FieldDescriptorProto { label: Label::Repeated as i32, ..field("tags", Type::String) };
    let address =
        FieldDescriptorProto { type_name: ".shop.Order.Address".into(), ..field("to", Type::Message) };
    let order = DescriptorProto {
        name: "Order".into(),
        field: vec![key, field("count", Type::Int32), tags, address],
        nested_type: vec![DescriptorProto {
            name: "Address".into(),
            field: vec![field("city", Type::String)],
            ..Default::default()
        }],
        ..Default::default()
    };
    let bill = DescriptorProto {
        name: "Bill".into(),
        field: vec![field("total", Type::Int64)],
        ..Default::default()
    };
    let buy = MethodDescriptorProto {
        name: "Buy".into(),
        input_type: ".shop.Order".into(),
        output_type: ".shop.Bill".into(),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: "shop.proto".into(),
        package: "shop".into(),
        message_type: vec![order, bill],
        service: vec![ServiceDescriptorProto { name: "Shop".into(), method: vec![buy] }],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }
}

/// The problems after a change to the file.
fn after(change: impl FnOnce(&mut FileDescriptorProto)) -> Vec<String> {
    let mut descriptors = descriptors();
    change(&mut descriptors.file[0]);
    problems(&[shop()], &descriptors)
}

fn with_rule(rule: HttpRule) -> Vec<String> {
    after(|file| {
        file.service[0].method[0].options = Some(MethodOptions { http: Some(rule), ..Default::default() });
    })
}

fn get(path: &str) -> HttpRule {
    HttpRule { pattern: Some(Pattern::Get(path.into())), ..Default::default() }
}

#[test]
fn a_good_contract_has_no_problems() {
    assert_eq!(after(|_| {}), [""; 0]);
    for path in ["/shop/{id}", "/shop/{id}/{count}:buy", "/shop/{id=shops/*}", "/shop/{to.city}", "/shop"] {
        assert_eq!(with_rule(get(path)), [""; 0], "{path}");
    }
    let custom = Pattern::Custom(CustomHttpPattern { kind: "*".into(), path: "/{id}".into() });
    assert_eq!(
        with_rule(HttpRule { pattern: Some(custom), body: "to".into(), ..Default::default() }),
        [""; 0]
    );
    assert_eq!(with_rule(HttpRule { response_body: "total".into(), ..get("/") }), [""; 0]);
}

#[test]
fn problems_name_file_service_and_rpc() {
    assert_eq!(
        after(|file| file.message_type[0].field[0].options = None),
        [
            "shop.proto: shop.Shop.Buy: no field of its request `Order` says which entity is meant; mark one with \
          `[(.cloudstate.entity_key) = true]`"
        ]
    );
    assert_eq!(
        after(|file| file.service[0].method[0].server_streaming = true),
        ["shop.proto: shop.Shop.Buy: it is streamed; event sourced and value entities have unary rpcs only"]
    );
    assert_eq!(
        after(|file| file.service[0].method[0].input_type = ".shop.Gone".into()),
        ["shop.proto: shop.Shop.Buy: its request `.shop.Gone` is not in the descriptor set"]
    );
    assert_eq!(
        after(|file| file.dependency.push("gone.proto".into())),
        ["shop.proto: its import `gone.proto` is not in the descriptor set"]
    );
    assert_eq!(after(|file| file.service.clear()), ["Shop: its descriptor set has no service `shop.Shop`"]);
}

#[test]
fn the_legacy_entity_key_counts() {
    let legacy = |file: &mut FileDescriptorProto| {
        file.message_type[0].field[0].options =
            Some(FieldOptions { legacy_entity_key: true, ..Default::default() });
    };
    assert_eq!(after(legacy), [""; 0]);
}

#[test]
fn http_rules_name_fields_that_exist() {
    for (rule, problem) in [
        (get("/{user_id}"), "the HTTP path `/{user_id}` binds `user_id`, which is no field of `Order`"),
        (get("/{tags}"), "the HTTP path `/{tags}` binds `tags`, which is a repeated field"),
        (get("/{to}"), "the HTTP path `/{to}` binds `to`, which is a message, not a scalar"),
        (
            get("/{to.street}"),
            "the HTTP path `/{to.street}` binds `to.street`, which is no field of `Address`",
        ),
        (get("/{id.x}"), "the HTTP path `/{id.x}` binds `id.x`, but `id` is not a message"),
        (
            HttpRule { body: "order".into(), ..get("/") },
            "the HTTP body is `order`, which is no field of the request `Order`",
        ),
        (
            HttpRule { response_body: "sum".into(), ..get("/") },
            "the HTTP response body is `sum`, which is no field of the reply `Bill`",
        ),
        (
            HttpRule { additional_bindings: vec![get("/{x}")], ..get("/") },
            "the HTTP path `/{x}` binds `x`, which is no field of `Order`",
        ),
    ] {
        assert_eq!(with_rule(rule), [format!("shop.proto: shop.Shop.Buy: {problem}")]);
    }
}

#[test]
fn services_that_nobody_serves_are_found() {
    let mut descriptors = descriptors();
    let idle = ServiceDescriptorProto { name: "Idle".into(), ..Default::default() };
    descriptors.file[0].service.push(idle);
    assert_eq!(services_without_entity(&[shop()], &descriptors), ["shop.Idle"]);
}

#[test]
fn entities_of_one_kind_do_not_share_their_storage() {
    let other = Component { service: "shop.Other", type_name: "Other", ..shop() };
    let found = problems(&[shop(), other], &descriptors());
    assert_eq!(
        found[0],
        "Other: the persistence id `shop` is also that of Shop; they would share their data"
    );
}

/// An action that is never called.
fn shop_action() -> Component {
    let never = || -> std::sync::Arc<dyn crate::action::host::Host> { panic!("started") };
    Component { host: Host::Action(Box::new(never)), ..shop() }
}

#[test]
fn an_action_may_stream_and_has_no_entity_key() {
    let mut descriptors = descriptors();
    let file = &mut descriptors.file[0];
    file.message_type[0].field[0].options = None;
    let buy = &mut file.service[0].method[0];
    (buy.client_streaming, buy.server_streaming) = (true, true);
    assert_eq!(problems(&[shop_action()], &descriptors), [""; 0]);
    buy_of(&mut descriptors).input_type = ".shop.Gone".into();
    assert_eq!(problems(&[shop_action()], &descriptors).len(), 1);
}

#[test]
fn a_source_of_events_needs_a_subscriber_that_takes_all() {
    use cloudstate_proto::event_source::Source;
    use cloudstate_proto::{EventSource, Eventing};

    let mut descriptors = descriptors();
    let source = EventSource { source: Some(Source::EventLog("carts".into())), ..Default::default() };
    let eventing = Some(Eventing { r#in: Some(source), out: None });
    buy_of(&mut descriptors).options = Some(MethodOptions { eventing, ..Default::default() });
    let warnings = sources_without_catch_all(&[shop_action()], &descriptors);
    assert_eq!(
        warnings,
        [
            "shop.proto: no rpc of shop.Shop takes every event of `carts`: one of a type that none takes stops the \
          subscription; add an rpc that takes `google.protobuf.Any`"
        ]
    );

    let mut any = buy_of(&mut descriptors).clone();
    any.input_type = ".google.protobuf.Any".into();
    descriptors.file[0].service[0].method.push(any);
    assert_eq!(sources_without_catch_all(&[shop_action()], &descriptors), [""; 0]);
}

fn buy_of(descriptors: &mut FileDescriptorSet) -> &mut MethodDescriptorProto {
    &mut descriptors.file[0].service[0].method[0]
}

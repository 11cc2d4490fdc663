use cloudstate_proto::descriptor::{FieldOptions, Label, MethodOptions, Type};
use cloudstate_proto::event_destination::Destination;
use cloudstate_proto::event_source::Source;
use cloudstate_proto::google::api::{CustomHttpPattern, HttpRule, http_rule::Pattern};
use cloudstate_proto::{EventDestination, EventSource, Eventing};

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
        field: vec![key, field("count", Type::Int32), tags, address, field("size", Type::Enum)],
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
        (get("/{id}/{id}"), "the HTTP path `/{id}/{id}` binds `id` twice"),
        (get("/{size}"), "the HTTP path `/{size}` binds `size`, which is an enum, not a scalar"),
        (get("/{id"), "the HTTP path `/{id` has a `{` without a `}`"),
        (HttpRule { body: "tags".into(), ..get("/") }, "the HTTP body is `tags`, which is a repeated field"),
    ] {
        assert_eq!(with_rule(rule), [format!("shop.proto: shop.Shop.Buy: {problem}")]);
    }
}

#[test]
fn http_rules_have_a_method_and_a_path() {
    let head = Pattern::Custom(CustomHttpPattern { kind: "HEAD".into(), path: "/".into() });
    let nested = HttpRule { additional_bindings: vec![get("/b")], ..get("/a") };
    for (rule, problem) in [
        (HttpRule::default(), "an HTTP rule has no path; write, for example, `get: \"/things/{id}\"`"),
        (get("shop/{id}"), "the HTTP path `shop/{id}` does not begin with `/`"),
        (
            HttpRule { pattern: Some(head), ..Default::default() },
            "the HTTP rule for `/` is for the method `HEAD`; other than get, put, post, delete and patch only `*`, \
             which is any, can be served",
        ),
        (
            HttpRule { additional_bindings: vec![nested], ..get("/") },
            "the additional HTTP binding `/a` has additional bindings itself; list them beside it",
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
fn entities_do_not_share_their_storage() {
    let other = |component| Component { service: "shop.Other", type_name: "Other", ..component };
    let shared =
        "Other: the persistence id `shop` is also that of Shop; they would share their data".to_string();
    for component in [shop(), shop_value()] {
        assert!(problems(&[shop(), other(component)], &descriptors()).contains(&shared));
    }
    for component in [shop_crdt(), shop_action()] {
        assert!(!problems(&[shop(), other(component)], &descriptors()).contains(&shared));
    }
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

/// A CRDT entity that is never started.
fn shop_crdt() -> Component {
    Component { host: Host::Crdt(Box::new(Nobody)), ..shop() }
}

/// A value entity that is never started.
fn shop_value() -> Component {
    Component { host: Host::Value(Box::new(Nobody)), ..shop() }
}

#[test]
fn what_may_be_streamed_depends_on_the_kind() {
    const UNARY: &str =
        "shop.proto: shop.Shop.Buy: it is streamed; event sourced and value entities have unary rpcs only";
    const NO_REQUESTS: &str =
        "shop.proto: shop.Shop.Buy: it has a stream of requests; CRDT entities take one at a time";
    type Create = fn() -> Component;
    let kinds: [(Create, [Option<&str>; 3]); 4] = [
        (shop, [Some(UNARY), Some(UNARY), Some(UNARY)]),
        (shop_value, [Some(UNARY), Some(UNARY), Some(UNARY)]),
        (shop_crdt, [Some(NO_REQUESTS), None, Some(NO_REQUESTS)]),
        (shop_action, [None, None, None]),
    ];
    for (component, expected) in kinds {
        for ((requests, replies), expected) in
            [(true, false), (false, true), (true, true)].into_iter().zip(expected)
        {
            let mut descriptors = descriptors();
            let buy = buy_of(&mut descriptors);
            (buy.client_streaming, buy.server_streaming) = (requests, replies);
            let component = component();
            let kind = component.entity_type();
            let found = problems(&[component], &descriptors);
            assert_eq!(found, Vec::from_iter(expected), "{kind}, requests {requests}, replies {replies}");
        }
    }
}

#[test]
fn entities_of_every_kind_need_a_key() {
    for component in [shop(), shop_value(), shop_crdt()] {
        let mut descriptors = descriptors();
        descriptors.file[0].message_type[0].field[0].options = None;
        let kind = component.entity_type();
        let found = problems(&[component], &descriptors);
        assert!(found.len() == 1 && found[0].contains("says which entity is meant"), "{kind}: {found:?}");
        assert!(found[0].starts_with("shop.proto: shop.Shop.Buy: "), "{kind}: {found:?}");
    }
}

fn topic(name: &str) -> EventSource {
    EventSource { source: Some(Source::Topic(name.into())), ..Default::default() }
}

fn event_log(name: &str) -> EventSource {
    EventSource { source: Some(Source::EventLog(name.into())), ..Default::default() }
}

fn to_topic(name: &str) -> EventDestination {
    EventDestination { destination: Some(Destination::Topic(name.into())) }
}

fn options(r#in: Option<EventSource>, out: Option<EventDestination>) -> Option<MethodOptions> {
    Some(MethodOptions { eventing: Some(Eventing { r#in, out }), ..Default::default() })
}

#[test]
fn events_come_from_somewhere_and_replies_go_elsewhere() {
    let nowhere = "the source in its `eventing.in` has an empty name";
    for (r#in, out, problem) in [
        (
            Some(EventSource::default()),
            None,
            Some(
                "its `eventing.in` names no source; write `topic: \"..\"`, or `event_log: \"..\"` with the \
                 persistence id of an event sourced entity",
            ),
        ),
        (Some(topic("")), None, Some(nowhere)),
        (Some(event_log("")), None, Some(nowhere)),
        (
            None,
            Some(EventDestination::default()),
            Some("its `eventing.out` names no destination; write `topic: \"..\"`"),
        ),
        (None, Some(to_topic("")), Some("the topic in its `eventing.out` has an empty name")),
        (
            Some(topic("orders")),
            Some(to_topic("orders")),
            Some(
                "it publishes to the topic that its events come from, so that every reply would come back as an \
                 event; publish to another",
            ),
        ),
        (Some(topic("orders")), Some(to_topic("bills")), None),
        (Some(event_log("orders")), Some(to_topic("orders")), None),
        (None, Some(to_topic("bills")), None),
    ] {
        let found = after(|file| file.service[0].method[0].options = options(r#in, out));
        let expected = problem.map(|problem| format!("shop.proto: shop.Shop.Buy: {problem}"));
        assert_eq!(found, Vec::from_iter(expected));
    }
}

#[test]
fn an_event_is_for_one_rpc_of_a_service() {
    let grouped = |source: EventSource, group: &str| EventSource { consumer_group: group.into(), ..source };
    for (first, second, source) in [
        (topic("orders"), topic("orders"), Some("the topic `orders`")),
        (event_log("shop"), event_log("shop"), Some("the event log `shop`")),
        // A group that is not named has the name of the service.
        (topic("orders"), grouped(topic("orders"), "shop.Shop"), Some("the topic `orders`")),
        (topic("orders"), grouped(topic("orders"), "again"), None),
        (topic("orders"), topic("returns"), None),
        (topic("orders"), event_log("orders"), None),
    ] {
        let subscribe = |input_type: &'static str| {
            let (first, second) = (first.clone(), second.clone());
            move |file: &mut FileDescriptorProto| {
                let methods = &mut file.service[0].method;
                methods[0].options = options(Some(first), None);
                let return_it = MethodDescriptorProto {
                    name: "Return".into(),
                    input_type: input_type.into(),
                    options: options(Some(second), None),
                    ..methods[0].clone()
                };
                methods.push(return_it);
            }
        };
        let mut descriptors = descriptors();
        subscribe(".shop.Order")(&mut descriptors.file[0]);
        let expected = source.map(|source| {
            format!(
                "shop.proto: shop.Shop.Return: it takes `shop.Order` from {source} as `Buy` does; let one of them \
                 take it, or give them different consumer groups"
            )
        });
        assert_eq!(problems(&[shop_action()], &descriptors), Vec::from_iter(expected));

        let mut descriptors = self::descriptors();
        subscribe(".shop.Bill")(&mut descriptors.file[0]);
        assert_eq!(problems(&[shop_action()], &descriptors), [""; 0]);
    }
}

#[test]
fn a_source_of_events_needs_a_subscriber_that_takes_all() {
    let mut descriptors = descriptors();
    buy_of(&mut descriptors).options = options(Some(event_log("carts")), None);
    assert_eq!(
        warnings(&[shop_action()], &descriptors),
        [
            "shop.proto: no rpc of shop.Shop takes every event of `carts`: one of a type that none takes is skipped, \
             or stops the subscription, as the proxy decides; add an rpc that takes `google.protobuf.Any`"
        ]
    );

    let mut any = buy_of(&mut descriptors).clone();
    any.input_type = ".google.protobuf.Any".into();
    descriptors.file[0].service[0].method.push(any);
    assert_eq!(warnings(&[shop_action()], &descriptors), [""; 0]);
}

fn buy_of(descriptors: &mut FileDescriptorSet) -> &mut MethodDescriptorProto {
    &mut descriptors.file[0].service[0].method[0]
}

#[test]
fn an_rpc_that_is_only_published_is_pointed_out() {
    let mut descriptors = descriptors();
    buy_of(&mut descriptors).options = options(None, Some(to_topic("bills")));
    assert_eq!(problems(&[shop_action()], &descriptors), [""; 0]);
    assert_eq!(
        warnings(&[shop_action()], &descriptors),
        [
            "shop.proto: shop.Shop.Buy: it has an `eventing.out` and no `eventing.in`: the original proxy then starts no \
             consumer of any service, so that nobody gets events; publish from an rpc that an event comes to"
        ]
    );
}

#[test]
fn imports_do_not_lead_back() {
    let cyclic = |imports: &[(&str, &[&str])]| {
        let mut descriptors = descriptors();
        for (name, dependencies) in imports {
            descriptors.file.push(FileDescriptorProto {
                name: (*name).into(),
                dependency: dependencies.iter().map(|name| (*name).to_owned()).collect(),
                ..Default::default()
            });
        }
        descriptors.file[0].dependency.push("a.proto".into());
        problems(&[shop()], &descriptors)
    };
    let none = [""; 0];
    assert_eq!(
        cyclic(&[("a.proto", &["b.proto", "c.proto"]), ("b.proto", &["c.proto"]), ("c.proto", &[])]),
        none
    );
    assert_eq!(
        cyclic(&[("a.proto", &["b.proto"]), ("b.proto", &["c.proto"]), ("c.proto", &["b.proto"])]),
        ["b.proto: its imports lead back to it: b.proto -> c.proto -> b.proto"]
    );
    assert_eq!(
        cyclic(&[("a.proto", &["a.proto"])]),
        ["a.proto: its imports lead back to it: a.proto -> a.proto"]
    );
    assert_eq!(
        cyclic(&[("a.proto", &["shop.proto"])]),
        ["a.proto: its imports lead back to it: a.proto -> shop.proto -> a.proto"]
    );
}

#[test]
fn a_route_leads_to_one_rpc() {
    let put = |path: &str| HttpRule { pattern: Some(Pattern::Put(path.into())), ..Default::default() };
    let any = |path: &str| {
        let custom = CustomHttpPattern { kind: "*".into(), path: path.into() };
        HttpRule { pattern: Some(Pattern::Custom(custom)), ..Default::default() }
    };
    for (first, second, route) in [
        (get("/shop/{id}"), get("/shop/{count}"), Some("GET /shop/{count}")),
        (get("/shop/{id}"), get("/shop/*"), Some("GET /shop/*")),
        (get("/shop/{id}"), any("/shop/{id}"), Some("* /shop/{id}")),
        (any("/shop"), put("/shop"), Some("PUT /shop")),
        (
            HttpRule { additional_bindings: vec![put("/a")], ..get("/b") },
            HttpRule { additional_bindings: vec![put("/a")], ..get("/c") },
            Some("PUT /a"),
        ),
        (get("/shop/{id}"), put("/shop/{id}"), None),
        (get("/shop/{id}"), get("/shop/{id}:buy"), None),
        (get("/shop/{id}"), get("/shop/mine"), None),
    ] {
        let found = after(|file| {
            let methods = &mut file.service[0].method;
            let http = |rule| Some(MethodOptions { http: Some(rule), ..Default::default() });
            methods[0].options = http(first);
            methods.push(MethodDescriptorProto {
                name: "Return".into(),
                options: http(second),
                ..methods[0].clone()
            });
        });
        let expected = route.map(|route| {
            format!(
                "shop.proto: shop.Shop.Return: its HTTP route `{route}` is that of shop.Shop.Buy already; a request \
                 cannot be for both"
            )
        });
        assert_eq!(found, Vec::from_iter(expected));
    }
}

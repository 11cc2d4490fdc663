//! The expected output of `tests/snapshots` compiles without a warning, in a crate that denies more of them than
//! most, and its handlers are called.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic, clippy::nursery)]

use cloudstate_sdk::{
    Any, Service,
    action::{ActionService, Replies, Requests, StreamExt, StreamReply, TryStreamExt, stream},
    event_sourced::{testkit::TestKit, *},
    google::api::HttpBody,
    prost::{Message, Name},
    prost_types::{Duration, FileDescriptorSet, Timestamp},
};

mod shop {
    include!("snapshots/shop/generated/cloudstate.rs");
}
mod awkward {
    include!("snapshots/awkward/generated/cloudstate.rs");
}
mod unnamed {
    include!("snapshots/unnamed/generated/cloudstate.rs");
}
mod streamed {
    include!("snapshots/streamed/generated/cloudstate.rs");
}

use streamed::streamed::Number;

use awkward::awkward::{old::Old, r#type::v1};

/// Handles the most awkward of services.
#[event_sourced_entity(service = v1::r#type, persistence_id = "awkward")]
#[derive(Default)]
struct Awkward {
    applied: usize,
}

impl EventSourcedEntity for Awkward {
    type Event = v1::Everything;
    type Error = Failure;

    fn apply(&mut self, _: v1::Everything) {
        self.applied += 1;
    }
}

impl v1::r#type::EventSourced for Awkward {
    fn r#match(&self, command: v1::Self_, _: &Context) -> Reply<Self, v1::Result> {
        let result = Some(v1::result::Result::Ok(command.by_name.len().to_string()));
        Ok(Effect::reply(v1::Result { result }))
    }
    fn self_(&self, _: v1::Option, _: &Context) -> Reply<Self, v1::Self_> {
        Ok(Effect::reply(v1::Self_ { self_: Some(Box::default()), ..Default::default() }))
    }
    fn apply(&self, _: v1::Result, _: &Context) -> Reply<Self, v1::Option> {
        let event = v1::Everything { any: Some(Any::default()), ..Default::default() };
        Ok(Effect::persist(event).reply(v1::Option { none: Some(vec![1]), ..Default::default() }))
    }
    fn clone(&self, (): (), _: &Context) -> Reply<Self, ()> {
        Ok(Effect::reply(()))
    }
    fn service(
        &self,
        command: v1::outer::middle::Inner,
        _: &Context,
    ) -> Reply<Self, v1::outer::kind::Nothing> {
        if command.r.is_empty() {
            Err(Failure::new("nothing"))
        } else {
            Ok(Effect::reply(v1::outer::kind::Nothing {}))
        }
    }
    fn http_request2_xx(&self, command: Any, _: &Context) -> Reply<Self, HttpBody> {
        Ok(Effect::reply(HttpBody { content_type: command.type_url, ..Default::default() }))
    }
    fn r#async(&self, command: String, _: &Context) -> Reply<Self, Vec<u8>> {
        Ok(Effect::reply(command.into_bytes()))
    }
    fn entity(&self, command: i64, _: &Context) -> Reply<Self, f64> {
        Ok(Effect::reply(if command > 0 { 0.5 } else { -0.5 }))
    }
    fn name(&self, command: bool, _: &Context) -> Reply<Self, u32> {
        Ok(Effect::reply(command.into()))
    }
    fn command(&self, command: Timestamp, _: &Context) -> Reply<Self, Duration> {
        Ok(Effect::reply(Duration { seconds: command.seconds, nanos: command.nanos }))
    }
    fn context(&self, command: v1::Everything, _: &Context) -> Reply<Self, v1::Outer> {
        assert_eq!(command.r#fn, Some(v1::everything::Fn::Impl(1)));
        Ok(Effect::reply(v1::Outer { kind: Some(v1::outer::KindOneOf::Other(v1::outer::Kind {})) }))
    }
    fn payload(&self, _: v1::child::Child, _: &Context) -> Reply<Self, Old> {
        Ok(Effect::reply(Old { name: "old".to_owned(), ..Default::default() }))
    }
}

#[test]
fn every_command_of_an_awkward_service_finds_its_handler() {
    use v1::r#type as call;
    let mut kit = TestKit::<Awkward>::new("a");

    let outcome = kit.call(call::r#match(v1::Self_::default()));
    assert_eq!(outcome.reply().result, Some(v1::result::Result::Ok("0".to_owned())));
    assert!(kit.call(call::self_(v1::Option::default())).reply().self_.is_some());
    assert_eq!(kit.call(call::apply(v1::Result::default())).reply().none, Some(vec![1]));
    assert_eq!(kit.state().applied, 1);
    kit.call(call::clone(())).reply();
    let inner = v1::outer::middle::Inner { r: "r".to_owned() };
    kit.call(call::service(inner)).reply();
    assert_eq!(kit.call(call::r#async("text".to_owned())).reply(), b"text");
    assert!(*kit.call(call::entity(1)).reply() > 0.0);
    assert_eq!(kit.call(call::name(true)).reply(), &1);
    assert_eq!(kit.call(call::command(Timestamp { seconds: 7, nanos: 0 })).reply().seconds, 7);
    let everything = v1::Everything { r#fn: Some(v1::everything::Fn::Impl(1)), ..Default::default() };
    assert!(kit.call(call::context(everything)).reply().kind.is_some());
    assert_eq!(kit.call(call::payload(v1::child::Child {})).reply().answer(), 42);
}

/// Greets.
#[event_sourced_entity(service = unnamed::greeter, persistence_id = "greeter")]
#[derive(Default)]
struct Greeter;

impl EventSourcedEntity for Greeter {
    type Event = unnamed::named::Reply;
    type Error = Failure;

    fn apply(&mut self, _: unnamed::named::Reply) {}
}

impl unnamed::greeter::EventSourced for Greeter {
    fn greet(&self, _: unnamed::Request, _: &Context) -> Reply<Self, unnamed::named::Reply> {
        Ok(Effect::reply(unnamed::named::Reply { text: "hello".to_owned() }))
    }
}

#[test]
fn a_service_needs_no_package() {
    assert_eq!(unnamed::greeter::Service::NAME, "Greeter");
    let outcome = TestKit::<Greeter>::new("g").call(unnamed::greeter::greet(unnamed::Request::default()));
    assert_eq!(outcome.reply().text, "hello");
}

#[test]
fn unary_rpcs_of_a_service_with_streams_can_be_called() {
    let call = streamed::streamed::sums::square(Number { value: 2 });
    assert!(format!("{call:?}").contains("Square"), "{call:?}");
}

/// Calculates.
#[cloudstate_sdk::action::action(service = streamed::streamed::sums)]
#[derive(Default)]
struct Sums;

impl ActionService for Sums {
    type Error = Failure;
}

impl streamed::streamed::sums::Action for Sums {
    async fn square(&self, number: Number, _: &Context) -> Reply<Self, Number> {
        Ok(Number { value: number.value * number.value }.into())
    }
    async fn sum(&self, numbers: Requests<Number>, _: &Context) -> Reply<Self, Number> {
        Ok(Number { value: numbers.try_fold(0, async |sum, number| Ok(sum + number.value)).await? }.into())
    }
    async fn count_to(&self, last: Number, _: &Context) -> StreamReply<Self, Number> {
        Ok(Replies::from_stream(stream::iter(1..=last.value).map(|value| Ok(Number { value }))))
    }
    async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number> {
        Ok(Replies::from_stream(numbers))
    }
    async fn on_number(&self, _: Number, _: &Context) -> Reply<Self, Number> {
        Err(Failure::unavailable("not now"))
    }
    async fn publish(&self, _: Number, _: &Context) -> Reply<Self, Number> {
        Err(Failure::unavailable("not now"))
    }
}

#[test]
fn an_rpc_with_a_source_of_events_is_told_apart() {
    use cloudstate_sdk::action::testkit::TestKit;
    use streamed::streamed::sums;

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sums = |call| runtime.block_on(async { TestKit::new(Sums).call(call).await });
    assert_eq!(sums(sums::square(Number { value: 3 })).reply().value, 9);
    for (call, closes_call) in
        [(sums::on_number(Number { value: 1 }), true), (sums::publish(Number { value: 1 }), false)]
    {
        let outcome = sums(call);
        assert_eq!(outcome.failure().message, "not now");
        assert_eq!(outcome.closes_call, closes_call);
    }
}

#[test]
fn services_carry_their_contract_once() {
    fn contract<S: Service>(_: S) -> &'static [u8] {
        let files = FileDescriptorSet::decode(S::DESCRIPTORS).unwrap().file;
        let services = files.iter().flat_map(|file| {
            file.service.iter().map(move |service| format!("{}.{}", file.package(), service.name()))
        });
        assert!(
            services.map(|name| name.trim_start_matches('.').to_owned()).any(|name| name == S::NAME),
            "{}",
            S::NAME
        );
        S::DESCRIPTORS
    }
    let first = contract(v1::r#type::Service);
    for other in [
        contract(v1::snake_case_service::Service),
        contract(v1::http_gateway::Service),
        contract(v1::child::http_gateway::Service),
        contract(awkward::awkward::old::old_times::Service),
    ] {
        assert!(std::ptr::eq(first, other), "a copy");
    }
    contract(unnamed::greeter::Service);
    contract(unnamed::named::asker::Service);
    contract(streamed::streamed::sums::Service);
    contract(shop::shop::cart::Service);
}

#[test]
fn messages_know_their_names() {
    assert_eq!(v1::Self_::type_url(), "type.googleapis.com/awkward.type.v1.Self");
    assert_eq!(
        v1::outer::middle::Inner::type_url(),
        "type.googleapis.com/awkward.type.v1.Outer.Middle.Inner"
    );
    assert_eq!(unnamed::Request::type_url(), "type.googleapis.com/Request");
}

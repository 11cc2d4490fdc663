//! Which entities are served, and which mistakes are found at the start.

use cloudstate_sdk::event_sourced::*;
use cloudstate_sdk::{CloudState, Entity, Error, Service, event_sourced};

use crate::cart::Cart;
use crate::model::{Model, Two};

async fn error(cloud_state: CloudState) -> Error {
    cloud_state.address("127.0.0.1", 0).bind().await.unwrap_err()
}

/// An entity written by hand, over the service that `S` describes.
struct Odd<S>(std::marker::PhantomData<S>);

impl<S: Contract> Entity for Odd<S> {
    type Service = S;
    type Kind = event_sourced::Kind;
    const PERSISTENCE_ID: &'static str = S::PERSISTENCE_ID;
    const PASSIVATE_AFTER: Option<std::time::Duration> = S::PASSIVATE_AFTER;
}

impl<S: Contract> EventSourcedEntity for Odd<S> {
    type Event = ();
    type Error = Failure;
    fn apply(&mut self, (): ()) {}
}

impl<S: Contract> Handler for Odd<S> {
    fn handle(
        &self,
        name: &str,
        _: &Any,
        _: &Context,
    ) -> Result<cloudstate_sdk::RawEffect<Self>, cloudstate_sdk::CommandError> {
        Err(cloudstate_sdk::CommandError::unknown(S::NAME, name))
    }
}

trait Contract: Service + Send + 'static {
    const PERSISTENCE_ID: &'static str = "odd";
    const PASSIVATE_AFTER: Option<std::time::Duration> = None;
}

fn odd<S: Contract>() -> CloudState {
    CloudState::new().register_with(|_| Odd::<S>(std::marker::PhantomData))
}

#[tokio::test]
async fn nothing_registered_is_an_error_with_a_hint() {
    let error = error(CloudState::new()).await;
    assert!(error.is_nothing_registered());
    assert!(error.to_string().contains("use my_entities as _;"), "{error}");
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[tokio::test]
async fn a_service_cannot_be_registered_twice() {
    let error = error(CloudState::new().register::<Model>().register::<Two>().register::<Model>()).await;
    assert!(error.is_registered_twice());
    assert_eq!(
        error.to_string(),
        "`cloudstate.tck.model.EventSourcedTckModel` is registered twice: it::model::Model and it::model::Model"
    );
}

/// What the registry of this test program holds.
mod discovered {
    use super::*;

    #[tokio::test]
    async fn a_type_without_default_must_be_registered() {
        let error = error(CloudState::new().discover()).await;
        assert!(error.is_missing_constructor());
        let text = error.to_string();
        assert!(
            text.contains("it::registration::discovered::Injected") && text.contains("register_with"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn what_is_registered_wins_over_what_is_discovered() {
        let cloud_state = CloudState::new()
            .register_with(|_| Injected { _dependency: "clock" })
            .register::<Cart>()
            .discover()
            .address("127.0.0.1", 0);
        assert_ne!(cloud_state.bind().await.unwrap().address().port(), 0);
    }

    #[event_sourced_entity(
        service = crate::cart::cloudstate::tck::model::event_sourced_configured,
        persistence_id = "configured"
    )]
    struct Injected {
        _dependency: &'static str,
    }

    impl EventSourcedEntity for Injected {
        type Event = ();
        type Error = Failure;
        fn apply(&mut self, (): ()) {}
    }

    impl crate::cart::cloudstate::tck::model::event_sourced_configured::EventSourced for Injected {
        fn call(
            &self,
            _: crate::cart::cloudstate::tck::model::Request,
            _: &Context,
        ) -> Reply<Self, crate::cart::cloudstate::tck::model::Response> {
            Ok(Effect::reply(Default::default()))
        }
    }
}

macro_rules! contracts {
    ($($name:ident($service:literal, $descriptors:expr) { $($constant:tt)* })*) => {$(
        struct $name;
        impl Service for $name {
            const NAME: &'static str = $service;
            const DESCRIPTORS: &'static [u8] = $descriptors;
        }
        impl Contract for $name { $($constant)* }
    )*};
}

const CART: &[u8] = <crate::cart::shopping_cart::Service as Service>::DESCRIPTORS;
const CART_SERVICE: &str = "com.example.shoppingcart.ShoppingCart";

contracts! {
    NoSuchService("x.Nobody", CART) {}
    Damaged("x.Nobody", b"\x0a\x05x") {}
    EmptyId("com.example.shoppingcart.ShoppingCart", CART) { const PERSISTENCE_ID: &'static str = ""; }
    Bar("com.example.shoppingcart.ShoppingCart", CART) { const PERSISTENCE_ID: &'static str = "a|b"; }
    Never("com.example.shoppingcart.ShoppingCart", CART) {
        const PASSIVATE_AFTER: Option<std::time::Duration> = Some(std::time::Duration::from_micros(999));
    }
    SameId("com.example.shoppingcart.ShoppingCart", CART) {
        const PERSISTENCE_ID: &'static str = "event-sourced-tck-model";
    }
}

#[tokio::test]
async fn contracts_that_no_proxy_could_serve_are_refused() {
    for (cloud_state, expected) in [
        (odd::<NoSuchService>(), "its descriptor set has no service `x.Nobody`"),
        (odd::<Damaged>(), "a descriptor set cannot be read: it is cut off"),
        (odd::<EmptyId>(), "the persistence id is empty"),
        (odd::<Bar>(), "the persistence id `a|b` contains `|`"),
        (odd::<Never>(), "it must be passivated after at least 1 ms, not 0"),
        (
            odd::<SameId>().register::<Model>(),
            "the persistence id `event-sourced-tck-model` is also that of it::registration::Odd<",
        ),
    ] {
        let error = error(cloud_state).await;
        assert!(error.is_invalid_contract());
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(CART_SERVICE, EmptyId::NAME);
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = CloudState::new().register::<Two>().address("127.0.0.1", port).bind().await.unwrap_err();
    assert!(error.is_address());
    assert!(error.to_string().starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")), "{error}");
}

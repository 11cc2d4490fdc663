//! The test kit, as in a user's unit tests.

use cloudstate_sdk::event_sourced::testkit::TestKit;
use cloudstate_sdk::event_sourced::*;

use crate::cart::{Cart, CartEvent, api, domain, shopping_cart};

fn add(product: &str, quantity: i32) -> ServiceCall<()> {
    shopping_cart::add_item(api::AddLineItem {
        user_id: "u".into(),
        product_id: product.into(),
        name: product.to_uppercase(),
        quantity,
    })
}

fn added(product: &str, quantity: i32) -> domain::ItemAdded {
    let item = domain::LineItem { product_id: product.into(), name: product.to_uppercase(), quantity };
    domain::ItemAdded { item: Some(item) }
}

fn get() -> ServiceCall<api::Cart> {
    shopping_cart::get_cart(api::GetShoppingCart::default())
}

#[test]
fn events_are_typed_and_state_follows() {
    let mut cart = TestKit::<Cart>::new("cart-1").given([added("socks", 2)]);

    let outcome = cart.call(add("socks", 3));

    assert_eq!(outcome.events, [CartEvent::Added(added("socks", 3))]);
    assert_eq!(outcome.result(), Some(&Ok(())));
    assert_eq!(cart.call(get()).reply().items[0].quantity, 5);
    assert_eq!(cart.restarted(), *cart.state());
    assert_eq!(cart.sequence(), 2);
}

#[test]
fn failures_change_nothing() {
    let mut cart = TestKit::<Cart>::new("cart-1");
    let refused = cart.call(shopping_cart::remove_item(api::RemoveLineItem::default()));
    assert_eq!(refused.failure().code, Code::NotFound);
    assert_eq!(refused.failure().message, "no such item in the cart");
    assert!(refused.events.is_empty());
    assert_eq!(*cart.state(), Cart::default());
}

#[test]
fn snapshots_come_when_due_and_restore() {
    let mut cart = TestKit::<Cart>::new("cart-1").given((1..100).map(|n| added(&format!("p{}", n % 7), 1)));
    assert!(cart.call(get()).snapshot.is_none());
    assert!(cart.call(add("socks", 1)).snapshot.is_some());
    assert!(cart.call(add("socks", 1)).snapshot.is_none());
    assert_eq!(cart.restarted_from_snapshot(), *cart.state());
    assert_eq!(cart.restarted(), *cart.state());
}

#[test]
fn a_given_snapshot_is_where_the_journal_begins() {
    let saved = domain::Cart { items: vec![added("socks", 4).item.unwrap()] };
    let mut cart = TestKit::<Cart>::new("cart-1").with_snapshot(98, saved).given([added("hat", 1)]);
    assert!(cart.call(add("hat", 1)).snapshot.is_some());
    assert_eq!(cart.state().items.len(), 2);
    assert_eq!(cart.restarted(), *cart.state());
}

#[test]
#[should_panic(expected = "no snapshot was taken after 0 events")]
fn without_a_snapshot_there_is_no_restart_from_one() {
    TestKit::<Cart>::new("cart-1").restarted_from_snapshot();
}

#[test]
fn an_instance_may_come_with_what_it_depends_on() {
    let cart = Cart { items: [("hat".to_owned(), added("hat", 9).item.unwrap())].into() };
    let mut kit = TestKit::with(cart);
    assert_eq!(kit.call(get()).reply().items[0].quantity, 9);
}

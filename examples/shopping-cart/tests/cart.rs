//! The entity, tested without server, runtime or storage.

use cloudstate_sdk::{
    Code,
    event_sourced::{Snapshot, testkit::TestKit},
};
use shopping_cart::{
    Cart, CartEvent,
    com::example::shoppingcart::{self as api, persistence as domain, shopping_cart as calls},
};

fn add(product_id: &str, quantity: i32) -> api::AddLineItem {
    api::AddLineItem {
        user_id: "u1".into(),
        product_id: product_id.into(),
        name: format!("the {product_id}"),
        quantity,
    }
}

fn remove(product_id: &str) -> api::RemoveLineItem {
    api::RemoveLineItem { user_id: "u1".into(), product_id: product_id.into() }
}

fn added(product_id: &str, quantity: i32) -> domain::ItemAdded {
    let name = format!("the {product_id}");
    domain::ItemAdded { item: Some(domain::LineItem { product_id: product_id.into(), name, quantity }) }
}

/// What `GetCart` answers: products and quantities.
fn items(cart: &mut TestKit<Cart>) -> Vec<(String, i32)> {
    let outcome = cart.call(calls::get_cart(api::GetShoppingCart { user_id: "u1".into() }));
    outcome.reply().items.iter().map(|item| (item.product_id.clone(), item.quantity)).collect()
}

#[test]
fn a_new_cart_is_empty() {
    assert_eq!(items(&mut TestKit::new("u1")), []);
}

#[test]
fn adding_an_item_stores_an_event() {
    let mut cart = TestKit::<Cart>::new("u1");
    let outcome = cart.call(calls::add_item(add("tea", 2)));
    assert_eq!(outcome.events, [CartEvent::Added(added("tea", 2))]);
    assert_eq!(items(&mut cart), [("tea".into(), 2)]);
}

#[test]
fn adding_an_item_again_adds_up() {
    let mut cart = TestKit::<Cart>::new("u1").given([added("tea", 2)]);
    cart.call(calls::add_item(add("tea", 3)));
    assert_eq!(items(&mut cart), [("tea".into(), 5)]);
}

#[test]
fn quantities_end_at_the_largest_number() {
    let mut cart = TestKit::<Cart>::new("u1").given([added("tea", i32::MAX)]);
    cart.call(calls::add_item(add("tea", 1)));
    assert_eq!(items(&mut cart), [("tea".into(), i32::MAX)]);
}

#[test]
fn a_quantity_must_be_positive() {
    let mut cart = TestKit::<Cart>::new("u1");
    for quantity in [0, -1, i32::MIN] {
        let outcome = cart.call(calls::add_item(add("tea", quantity)));
        assert_eq!(outcome.failure().code, Code::InvalidArgument, "{quantity}");
        assert_eq!(items(&mut cart), []);
    }
}

#[test]
fn an_item_can_be_removed_once() {
    let mut cart = TestKit::<Cart>::new("u1").given([added("tea", 2), added("milk", 1)]);
    let outcome = cart.call(calls::remove_item(remove("tea")));
    assert_eq!(outcome.events, [CartEvent::Removed(domain::ItemRemoved { product_id: "tea".into() })]);
    assert_eq!(items(&mut cart), [("milk".into(), 1)]);

    let again = cart.call(calls::remove_item(remove("tea")));
    assert_eq!(again.failure().code, Code::NotFound);
    assert_eq!(items(&mut cart), [("milk".into(), 1)]);
}

#[test]
fn a_reply_says_all_about_an_item() {
    let mut cart = TestKit::<Cart>::new("u1").given([added("tea", 2)]);
    let outcome = cart.call(calls::get_cart(api::GetShoppingCart { user_id: "u1".into() }));
    let tea = api::LineItem { product_id: "tea".into(), name: "the tea".into(), quantity: 2 };
    assert_eq!(outcome.reply().items, [tea]);
}

/// The hundredth event brings a snapshot.
#[test]
fn snapshots_hold_all_items() {
    let mut cart = TestKit::<Cart>::new("u1");
    for number in 0..120 {
        cart.call(calls::add_item(add(&format!("item-{}", number % 7), 1)));
    }
    assert_eq!(items(&mut cart).len(), 7);
    assert_eq!(cart.restarted_from_snapshot().snapshot(), cart.state().snapshot());
    assert_eq!(cart.restarted().snapshot(), cart.state().snapshot());
}

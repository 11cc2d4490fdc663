//! The entity, tested without server, runtime or storage.

use cloudstate_sdk::value::testkit::TestKit;
use cloudstate_sdk::value::{Code, StateAction};
use shopping_cart_value::Cart;
use shopping_cart_value::com::example::valueentity::shoppingcart::{
    self as api, persistence as domain, shopping_cart as calls,
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

/// A stored cart.
fn cart<const N: usize>(items: [(&str, i32); N]) -> domain::Cart {
    let item = |(product_id, quantity): (&str, i32)| domain::LineItem {
        product_id: product_id.into(),
        name: format!("the {product_id}"),
        quantity,
    };
    domain::Cart { items: items.map(item).into() }
}

/// What `GetCart` answers: products and quantities.
fn items(kit: &mut TestKit<Cart>) -> Vec<(String, i32)> {
    let outcome = kit.call(calls::get_cart(api::GetShoppingCart { user_id: "u1".into() }));
    outcome.reply().items.iter().map(|item| (item.product_id.clone(), item.quantity)).collect()
}

#[test]
fn a_new_cart_is_empty() {
    assert_eq!(items(&mut TestKit::new("u1")), []);
}

#[test]
fn adding_twice_adds_up() {
    let mut kit = TestKit::<Cart>::new("u1").given(cart([("tea", 2)]));

    let outcome = kit.call(calls::add_item(add("tea", 3)));

    assert_eq!(outcome.state_action, Some(StateAction::Update(cart([("tea", 5)]))));
    assert_eq!(items(&mut kit), [("tea".to_owned(), 5)]);
}

#[test]
fn an_item_may_be_taken_out() {
    let mut kit = TestKit::<Cart>::new("u1").given(cart([("tea", 2), ("milk", 1)]));
    kit.call(calls::remove_item(remove("tea")));
    assert_eq!(items(&mut kit), [("milk".to_owned(), 1)]);
    assert_eq!(kit.restarted(), *kit.state());
}

#[test]
fn a_removed_cart_is_a_new_one() {
    let mut kit = TestKit::<Cart>::new("u1").given(cart([("tea", 2)]));
    let outcome = kit.call(calls::remove_cart(api::RemoveShoppingCart { user_id: "u1".into() }));
    assert_eq!(outcome.state_action, Some(StateAction::Delete));
    assert_eq!(items(&mut kit), []);
    assert_eq!(kit.restarted(), Cart::default());
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut kit = TestKit::<Cart>::new("u1").given(cart([("tea", 2)]));
    for quantity in [0, -1] {
        assert_eq!(kit.call(calls::add_item(add("tea", quantity))).failure().code, Code::InvalidArgument);
    }
    let refused = kit.call(calls::remove_item(remove("milk")));
    assert_eq!(refused.failure().code, Code::NotFound);
    assert_eq!(refused.state_action, None);
    assert_eq!(items(&mut kit), [("tea".to_owned(), 2)]);
}

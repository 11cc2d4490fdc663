//! Both entities, tested without server, runtime or storage: what one calls is a value that the other can be given.

use cloudstate_sdk::{Code, SideEffect, event_sourced::testkit::TestKit};
use orders_forwarding::{
    Order, OrderEvent, Stock, StockEvent,
    com::example::orders::{self as api, orders, persistence as domain, stock},
};

fn purchase(order_id: &str, quantity: u32) -> api::Purchase {
    api::Purchase { product_id: "tea".into(), order_id: order_id.into(), quantity }
}

fn cancel() -> api::CancelOrder {
    api::CancelOrder { order_id: "o1".into() }
}

fn delivered(quantity: u32) -> domain::Delivered {
    domain::Delivered { quantity }
}

fn reserved(order_id: &str, quantity: u32) -> domain::Reserved {
    domain::Reserved { order_id: order_id.into(), quantity }
}

fn line(product_id: &str, quantity: u32) -> domain::LineSet {
    domain::LineSet { product_id: product_id.into(), quantity }
}

fn release(product_id: &str) -> SideEffect {
    let release = api::ReleaseStock { product_id: product_id.into(), order_id: "o1".into() };
    SideEffect::synchronous(stock::release(release))
}

fn free(tea: &mut TestKit<Stock>) -> u32 {
    tea.call(stock::get_level(api::GetStock { product_id: "tea".into() })).reply().free
}

#[test]
fn a_delivery_adds_to_the_stock() {
    let mut tea = TestKit::<Stock>::new("tea").given([delivered(2)]);
    let delivery = api::Delivery { product_id: "tea".into(), quantity: 3 };
    assert_eq!(tea.call(stock::deliver(delivery)).reply().free, 5);
}

#[test]
fn buying_reserves_and_lets_the_order_answer() {
    let mut tea = TestKit::<Stock>::new("tea").given([delivered(5)]);
    let outcome = tea.call(stock::buy(purchase("o1", 2)));
    assert_eq!(outcome.events, [StockEvent::Reserved(reserved("o1", 2))]);
    assert_eq!(free(&mut tea), 3);

    let forwarded = outcome.forwarded_to.clone().expect("a forward");
    let mut order = TestKit::<Order>::new("o1");
    let answer = order.call(forwarded);
    assert_eq!(answer.events, [OrderEvent::LineSet(line("tea", 2))]);
    let tea = api::Line { product_id: "tea".into(), quantity: 2 };
    assert_eq!(*answer.reply(), api::Order { lines: vec![tea], cancelled: false });
}

#[test]
fn nobody_can_buy_what_others_have_reserved() {
    let mut tea = TestKit::<Stock>::new("tea").given([delivered(5)]).given([reserved("o1", 3)]);
    let outcome = tea.call(stock::buy(purchase("o2", 3)));
    assert_eq!(outcome.failure().code, Code::FailedPrecondition);
    assert_eq!(outcome.failure().message, "only 2 left");
    assert_eq!(outcome.forwarded_to, None);
    assert_eq!(free(&mut tea), 2);
}

#[test]
fn buying_again_changes_the_quantity() {
    let mut tea = TestKit::<Stock>::new("tea").given([delivered(5)]);
    for (quantity, left) in [(3, 2), (3, 2), (5, 0), (1, 4)] {
        assert!(tea.call(stock::buy(purchase("o1", quantity))).forwarded_to.is_some(), "{quantity}");
        assert_eq!(free(&mut tea), left, "{quantity}");
    }
}

#[test]
fn senseless_requests_are_refused() {
    let mut tea = TestKit::<Stock>::new("tea").given([delivered(u32::MAX)]);
    let nothing = tea.call(stock::deliver(api::Delivery::default()));
    assert_eq!(nothing.failure().code, Code::InvalidArgument);
    let too_much = tea.call(stock::deliver(api::Delivery { quantity: 1, ..Default::default() }));
    assert_eq!(too_much.failure().code, Code::OutOfRange);
    for purchase in [purchase("o1", 0), purchase("", 1)] {
        assert_eq!(tea.call(stock::buy(purchase)).failure().code, Code::InvalidArgument);
    }
    assert_eq!(tea.sequence(), 1);
}

#[test]
fn cancelling_gives_back_every_line() {
    let mut order = TestKit::<Order>::new("o1").given([line("milk", 1), line("tea", 2)]);
    let outcome = order.call(orders::cancel(cancel()));
    assert_eq!(outcome.events, [OrderEvent::Cancelled(domain::Cancelled {})]);
    assert_eq!(outcome.side_effects, [release("milk"), release("tea")]);
    assert!(outcome.reply().cancelled);
}

#[test]
fn cancelling_again_stores_nothing_and_gives_back_again() {
    let mut order = TestKit::<Order>::new("o1").given([line("tea", 2)]);
    order.call(orders::cancel(cancel()));
    let again = order.call(orders::cancel(cancel()));
    assert_eq!(again.events, []);
    assert_eq!(again.side_effects, [release("tea")]);
}

#[test]
fn an_order_that_is_none_cannot_be_cancelled() {
    let mut order = TestKit::<Order>::new("o1");
    let outcome = order.call(orders::cancel(cancel()));
    assert_eq!(outcome.failure().code, Code::NotFound);
    assert_eq!(outcome.side_effects, []);
}

#[test]
fn a_cancelled_order_can_begin_anew() {
    let mut order = TestKit::<Order>::new("o1").given([line("tea", 2)]);
    order.call(orders::cancel(cancel()));
    let milk = api::NewLine { order_id: "o1".into(), product_id: "milk".into(), quantity: 1 };
    let answer = order.call(orders::set_line(milk));
    let milk = api::Line { product_id: "milk".into(), quantity: 1 };
    assert_eq!(*answer.reply(), api::Order { lines: vec![milk], cancelled: false });
    assert_eq!(order.restarted(), *order.state());
}

#[test]
fn releasing_takes_back_once() {
    let mut tea = TestKit::<Stock>::new("tea").given([delivered(5)]).given([reserved("o1", 3)]);
    let release = || stock::release(api::ReleaseStock { product_id: "tea".into(), order_id: "o1".into() });
    assert_eq!(tea.call(release()).events.len(), 1);
    assert_eq!(free(&mut tea), 5);
    assert_eq!(tea.call(release()).events, []);
    assert_eq!(tea.restarted(), *tea.state());
}

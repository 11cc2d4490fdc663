//! The action, given events without a log: what it answers decides whether an event comes again.

use std::io;

use cart_watch::{
    CartWatch, InMemory, Index,
    com::example::{
        cartwatch::{Product, cart_watch as calls},
        shoppingcart::persistence::{ItemAdded, ItemRemoved, LineItem},
    },
};
use cloudstate_sdk::{Any, Code, Metadata, action::testkit::TestKit};

fn added(product_id: &str) -> ItemAdded {
    let item = LineItem { product_id: product_id.into(), name: product_id.into(), quantity: 1 };
    ItemAdded { item: Some(item) }
}

fn removed(product_id: &str) -> ItemRemoved {
    ItemRemoved { product_id: product_id.into() }
}

fn watch() -> TestKit<CartWatch<InMemory>> {
    TestKit::new(CartWatch::new(InMemory::default()))
}

/// The events that follow are of this cart.
fn of_cart<I: Index>(watch: TestKit<CartWatch<I>>, cart: &str) -> TestKit<CartWatch<I>> {
    watch.with_metadata(Metadata::from_iter([("ce-subject", cart)]))
}

async fn carts_with_tea(watch: &TestKit<CartWatch<InMemory>>) -> Vec<String> {
    let product = Product { product_id: "tea".into() };
    watch.call(calls::find_carts(product)).await.reply().user_ids.clone()
}

#[tokio::test]
async fn carts_are_found_by_what_is_in_them() {
    let watch = of_cart(watch(), "u1");
    watch.call(calls::on_item_added(added("tea"))).await.reply();
    watch.call(calls::on_item_added(added("milk"))).await.reply();
    let watch = of_cart(watch, "u2");
    watch.call(calls::on_item_added(added("tea"))).await.reply();
    assert_eq!(carts_with_tea(&watch).await, ["u1", "u2"]);

    watch.call(calls::on_item_removed(removed("tea"))).await.reply();
    assert_eq!(carts_with_tea(&watch).await, ["u1"]);
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing() {
    let watch = of_cart(watch(), "u1");
    for _ in 0..2 {
        watch.call(calls::on_item_added(added("tea"))).await.reply();
        assert_eq!(carts_with_tea(&watch).await, ["u1"]);
    }
    for _ in 0..2 {
        watch.call(calls::on_item_removed(removed("tea"))).await.reply();
        assert_eq!(carts_with_tea(&watch).await, [""; 0]);
    }
}

/// Skipped: acknowledged, with a reason that is logged.
#[tokio::test]
async fn what_says_nothing_about_a_cart_is_skipped() {
    let of_nobody = watch();
    let outcomes = [
        of_nobody.call(calls::on_item_added(added("tea"))).await,
        of_nobody.call(calls::on_item_removed(removed("tea"))).await,
        of_cart(watch(), "u1").call(calls::on_item_added(ItemAdded::default())).await,
        of_cart(watch(), "u1")
            .call(calls::on_other(Any { type_url: "x/Renamed".into(), ..Any::default() }))
            .await,
    ];
    for outcome in &outcomes {
        assert!(!outcome.closes_call, "{outcome:?}");
        assert_eq!(outcome.failure().code, Code::Unknown);
    }
    assert_eq!(outcomes[3].failure().message, "`x/Renamed` does not say what is in a cart");
    assert_eq!(carts_with_tea(&of_nobody).await, [""; 0]);
}

struct OutOfReach;

impl Index for OutOfReach {
    fn insert(&self, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    fn remove(&self, _: &str, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    fn carts(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

/// The call is closed with a status: the proxy has to bring the event again.
#[tokio::test]
async fn without_its_index_the_action_asks_for_the_event_again() {
    let watch = of_cart(TestKit::new(CartWatch::new(OutOfReach)), "u1");
    for outcome in [
        watch.call(calls::on_item_added(added("tea"))).await,
        watch.call(calls::on_item_removed(removed("tea"))).await,
    ] {
        assert!(outcome.closes_call);
        assert_eq!(outcome.failure().code, Code::Unavailable);
    }
}

/// Who asks for carts is no event source: the failure is an answer like any other.
#[tokio::test]
async fn a_query_that_fails_is_answered() {
    let watch = TestKit::new(CartWatch::new(OutOfReach));
    let outcome = watch.call(calls::find_carts(Product::default())).await;
    assert!(!outcome.closes_call);
    assert_eq!(outcome.failure().code, Code::Unavailable);
}

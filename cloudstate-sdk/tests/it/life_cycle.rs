//! The life of an entity, from its first message to passivation.

use cloudstate_sdk::CloudState;

use crate::cart::{Cart, api, domain};
use crate::proxy::{Entity, UserFunction, any, refusal, reply_message};

const CART: &str = "com.example.shoppingcart.ShoppingCart";

fn add(product: &str, quantity: i32) -> cloudstate_proto::Any {
    any(&api::AddLineItem { product_id: product.into(), quantity, ..Default::default() })
}

fn added(product: &str, quantity: i32) -> cloudstate_proto::Any {
    let item = domain::LineItem { product_id: product.into(), quantity, ..Default::default() };
    any(&domain::ItemAdded { item: Some(item) })
}

fn get() -> cloudstate_proto::Any {
    any(&api::GetShoppingCart::default())
}

async fn carts() -> UserFunction {
    UserFunction::start(CloudState::new().register::<Cart>()).await
}

#[tokio::test]
async fn commands_are_answered_and_half_close_ends_well() {
    let carts = carts().await;
    let mut cart = carts.entity(CART, "c1").await;
    cart.command(1, "AddItem", add("socks", 2));
    let reply = cart.reply().await;
    assert_eq!(reply.command_id, 1);
    assert_eq!(reply.events, [added("socks", 2)]);
    assert_eq!((reply_message::<()>(&reply), reply.snapshot), ((), None));

    cart.command(2, "GetCart", get());
    let reply = cart.reply().await;
    assert_eq!(reply_message::<api::Cart>(&reply).items[0].quantity, 2);
    assert!(reply.events.is_empty());

    cart.half_close();
    cart.expect_end().await;
}

#[tokio::test]
async fn a_snapshot_and_later_events_make_the_state() {
    let carts = carts().await;
    let mut cart = Entity::open(&mut carts.entities().await).await;
    let item = domain::LineItem { product_id: "socks".into(), quantity: 3, ..Default::default() };
    cart.init(CART, "c1", Some((98, any(&domain::Cart { items: vec![item] }))));
    cart.event(99, added("socks", 1));
    cart.command(1, "GetCart", get());
    assert_eq!(reply_message::<api::Cart>(&cart.reply().await).items[0].quantity, 4);
    cart.command(2, "AddItem", add("socks", 1));
    assert!(cart.reply().await.snapshot.is_some());
}

#[tokio::test]
async fn a_refused_command_changes_nothing_and_the_stream_goes_on() {
    let carts = carts().await;
    let mut cart = carts.entity(CART, "c1").await;
    cart.command(1, "AddItem", add("socks", 0));
    let reply = cart.reply().await;
    let failure = refusal(&reply);
    assert_eq!((failure.description.as_str(), failure.restart), ("the quantity must be positive", false));
    assert_eq!(failure.grpc_status_code, 0);
    cart.command(2, "AddItem", add("socks", 1));
    assert_eq!(cart.reply().await.events.len(), 1);
}

#[tokio::test]
async fn a_thousand_entities_share_a_connection() {
    let carts = carts().await;
    let mut client = carts.entities().await;
    let mut all = Vec::new();
    for number in 0..1_000 {
        let mut cart = Entity::open(&mut client).await;
        cart.init(CART, &format!("c{number}"), None);
        cart.command(1, "AddItem", add("socks", number + 1));
        all.push(cart);
    }
    for (number, cart) in (1..).zip(&mut all) {
        cart.reply().await;
        cart.command(2, "GetCart", get());
        assert_eq!(reply_message::<api::Cart>(&cart.reply().await).items[0].quantity, number);
    }
}

#[tokio::test]
async fn nothing_is_kept_between_streams() {
    let carts = carts().await;
    let mut cart = carts.entity(CART, "c1").await;
    cart.command(1, "AddItem", add("socks", 2));
    cart.reply().await;
    // The proxy is gone, without a word; another stream for the same entity knows only what it is told.
    drop(cart);
    let mut cart = carts.entity(CART, "c1").await;
    cart.command(1, "GetCart", get());
    assert_eq!(reply_message::<api::Cart>(&cart.reply().await), api::Cart::default());
}

#[tokio::test]
async fn a_stream_without_messages_just_ends() {
    let carts = carts().await;
    let mut silent = Entity::open(&mut carts.entities().await).await;
    silent.half_close();
    silent.expect_end().await;
}

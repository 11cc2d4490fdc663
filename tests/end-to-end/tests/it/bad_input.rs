//! Whatever a client does wrong gets a status and a sentence, and harms nobody.

use http::Method;
use shopping_cart::com::example::shoppingcart as api;
use tonic::Code;

use crate::{client::Cart, site::Site};

const ADD: &str = "/cart/u1/items/add";
const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

#[tokio::test]
async fn http_requests() {
    let site = Site::start().await;
    let http = site.http();
    let large = format!(r#"{{"productId":"p","name":"{}","quantity":1}}"#, "x".repeat(5 * 1024 * 1024));
    let cases = [
        ("not JSON", Method::POST, ADD, JSON, "{", 400, "JSON"),
        ("a wrong type", Method::POST, ADD, JSON, r#"{"quantity":"many"}"#, 400, "quantity"),
        ("an unknown field", Method::POST, ADD, JSON, r#"{"colour":"red"}"#, 400, "colour"),
        (
            "a number that does not fit",
            Method::POST,
            ADD,
            JSON,
            r#"{"quantity":3000000000}"#,
            400,
            "quantity",
        ),
        ("a form", Method::POST, ADD, FORM, "productId=p1", 415, "application/json"),
        ("an unknown route", Method::GET, "/basket/u1", None, "", 404, "/basket/u1"),
        ("another verb", Method::DELETE, ADD, None, "", 405, "POST"),
        ("no key", Method::GET, "/carts/", None, "", 400, "user_id"),
        ("a key that is no UTF-8", Method::GET, "/carts/%ff", None, "", 400, "UTF-8"),
        ("an unknown parameter", Method::GET, "/carts/u1?colour=red", None, "", 400, "colour"),
        ("too much", Method::POST, ADD, JSON, large.as_str(), 413, "bytes"),
        ("what the entity refuses", Method::POST, ADD, JSON, r#"{"productId":"p"}"#, 400, "quantity"),
        ("what is not there", Method::POST, "/cart/u1/items/p9/remove", None, "", 404, "no such item"),
    ];
    for (what, method, path, content_type, body, status, word) in cases {
        let response = http.send(method, path, content_type, body.to_owned()).await.expect(what);
        assert_eq!(response.status, status, "{what}: {}", response.body);
        assert!(response.body.contains(word), "{what}: {:?} should mention {word}", response.body);
        assert!(response.content_type.starts_with("text/plain"), "{what}: {}", response.content_type);
    }
    assert_eq!(http.cart("u1").await, [], "nothing of it took effect");
    assert_eq!(http.add("u1", "p1", 1).await.status, 200, "and the proxy goes on");
}

#[tokio::test]
async fn grpc_requests() {
    let site = Site::start().await;
    let mut cart = Cart::connect(site.port).await;
    let refused = cart.add("u1", "p1", 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "the code the handler chose: {refused:?}");
    assert!(refused.message().contains("quantity"), "{refused:?}");
    let missing = cart.remove("u1", "p9").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound, "{missing:?}");
    let empty = cart.get("").await.unwrap_err();
    assert_eq!(empty.code(), Code::InvalidArgument, "{empty:?}");
    assert!(empty.message().contains("user_id"), "{empty:?}");
    let unknown = cart.call::<_, ()>("Checkout", api::GetShoppingCart::default()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented, "{unknown:?}");
    let large = cart.add("u1", &"x".repeat(5 * 1024 * 1024), 1).await.unwrap_err();
    assert!(matches!(large.code(), Code::ResourceExhausted | Code::OutOfRange), "{large:?}");
    // The bytes of another message: field 4 is a string there, the quantity here.
    let garbled = cart.call::<_, ()>("AddItem", api::Cart::default()).await.unwrap_err();
    assert_eq!(garbled.code(), Code::InvalidArgument, "{garbled:?}");
    cart.add("u1", "p1", 1).await.unwrap();
    assert_eq!(cart.get("u1").await.unwrap().items.len(), 1);
}

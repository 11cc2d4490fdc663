//! The two commands of the README, over HTTP and over gRPC, on one port.

use crate::{
    client::{Cart, Response},
    site::Site,
};

fn json(body: &str) -> Response {
    Response { status: 200, content_type: "application/json".to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn http_and_grpc_see_the_same_cart() {
    let site = Site::start().await;
    let http = site.http();
    let tea = r#"{"productId":"p1","name":"tea","quantity":2}"#;
    assert_eq!(http.post("/cart/u1/items/add", tea).await, json("{}"));
    let mut cart = Cart::connect(site.port).await;
    cart.add("u1", "p1", 3).await.unwrap();
    cart.add("u1", "p2", 1).await.unwrap();

    let items =
        r#"[{"productId":"p1","name":"p1","quantity":5},{"productId":"p2","name":"p2","quantity":1}]"#;
    assert_eq!(http.get("/carts/u1").await, json(&format!(r#"{{"items":{items}}}"#)));
    assert_eq!(http.get("/carts/u1/items").await, json(items), "response_body names the field");

    assert_eq!(http.post("/cart/u1/items/p1/remove", "").await, json("{}"));
    let left = cart.get("u1").await.unwrap().items;
    assert_eq!(left.iter().map(|item| item.product_id.as_str()).collect::<Vec<_>>(), ["p2"]);
    cart.remove("u1", "p2").await.unwrap();
    assert_eq!(http.get("/carts/u1").await, json(r#"{"items":[]}"#));
}

#[tokio::test]
async fn two_entities_are_never_mixed() {
    let site = Site::start().await;
    let http = site.http();
    let mut tasks = Vec::new();
    for user in 0..20 {
        let http = http.clone();
        tasks.push(tokio::spawn(async move {
            for item in 0..10 {
                let added =
                    http.add(&format!("user-{user}"), &format!("product-{user}-{item}"), user + 1).await;
                assert_eq!(added.status, 200, "{}", added.body);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for user in 0..20 {
        let expected: Vec<_> =
            (0..10).map(|item| (format!("product-{user}-{item}"), i64::from(user) + 1)).collect();
        assert_eq!(http.cart(&format!("user-{user}")).await, expected);
    }
}

#[tokio::test]
async fn any_id_names_an_entity_of_its_own() {
    let site = Site::start().await;
    let http = site.http();
    let mut cart = Cart::connect(site.port).await;
    for (id, path) in [
        ("a/b", "/carts/a%2Fb"),
        ("a+b", "/carts/a+b"),
        ("a b", "/carts/a%20b"),
        ("eventlogeventing:1", "/carts/eventlogeventing:1"),
        ("100%|x", "/carts/100%25%7Cx"),
        ("käse 🧀", "/carts/k%C3%A4se%20%F0%9F%A7%80"),
    ] {
        cart.add(id, id, 1).await.unwrap();
        let body = http.get(path).await.body;
        let expected = serde_json::json!({"items": [{"productId": id, "name": id, "quantity": 1}]});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), expected, "{id}");
    }
}

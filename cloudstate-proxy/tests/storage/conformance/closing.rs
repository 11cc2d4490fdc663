//! The end of a store.

use std::sync::Arc;

use cloudstate_proxy::storage::{Change, Consumer, Source, Store};

use crate::{append, cart, payload};

pub(super) async fn a_closed_store_says_so(store: Arc<dyn Store>) {
    let cart = cart("c1");
    let source = Source::EventLog("shopping-cart".into());
    let consumer = Consumer { group: "g".into(), source: source.clone() };
    let value = || Change::Value { entity: cart.clone(), state: Some(payload("v")) };
    let mut grown = store.grown();
    store.check().await.unwrap();
    store.append(append(&cart, 0, ["a"])).await.unwrap();
    store.write(vec![value()]).await.unwrap();
    grown.changed().await.unwrap();

    store.close().await;
    store.close().await;
    assert!(store.append(append(&cart, 1, ["b"])).await.unwrap_err().is_closed());
    assert!(store.write(vec![value()]).await.unwrap_err().is_closed());
    assert!(store.events(&cart, 0).await.unwrap_err().is_closed());
    assert!(store.snapshot(&cart).await.unwrap_err().is_closed());
    assert!(store.value(&cart).await.unwrap_err().is_closed());
    assert!(store.crdt(&cart).await.unwrap_err().is_closed());
    assert!(store.log(&source, 0).await.unwrap_err().is_closed());
    assert!(store.offset(&consumer).await.unwrap_err().is_closed());
    assert!(store.dead_letters(0).await.unwrap_err().is_closed());
    assert!(store.check().await.unwrap_err().is_closed());
    grown.changed().await.unwrap_err();
}

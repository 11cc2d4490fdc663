//! A stream that breaks during replay: what was asked of the store for its sake must not be taken for an answer to what
//! the next stream asks. (It once was: the next process got events before its init, and some of them twice.)

use std::sync::Arc;

use cloudstate_proxy::{
    Proxy,
    storage::{Append, EntityKey, Store},
};

use crate::{
    client::Client,
    contract::stored,
    held_store::{Held, HeldStore},
    hosted::{serving, settings},
    user_function::{Setup, UserFunction},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_a_broken_stream_is_never_sent_on_the_next_one() {
    let (store, mut pages) = HeldStore::new(Held::Pages).await;
    let entity = EntityKey { persistence_id: "test.things".into(), entity_id: "e1".into() };
    let events = vec![stored("one"), stored("two")];
    store.append(Append { entity, expected: 0, events, snapshot: None }).await.unwrap();
    let mut function = UserFunction::new();
    let proxy = Proxy::start_with_store(settings(function.address), Arc::new(store)).await.unwrap();
    let client = Client::connect(serving(&proxy).await.listen).await;

    let call = tokio::spawn(async move { client.act("e1", "").await });
    let (broken, _) = function.activation().await;
    let stale = pages.next().await;
    let address = function.kill();
    drop(broken);
    let mut function = UserFunction::start(Setup { address: Some(address), ..Setup::default() });
    let mut stream = function.stream().await;
    stale.let_go();
    stream.init().await;
    pages.next().await.let_go();
    for sequence in [1, 2] {
        assert_eq!(stream.event().await.sequence, sequence);
    }
    pages.next().await.let_go();
    stream.answer("fine").await;
    assert_eq!(call.await.unwrap().reply(), "fine");
}

//! More entities than may be in memory.

use tokio::task::JoinHandle;
use tonic::Code;

use crate::{
    client::{Answer, Client, explained},
    hosted::{host_with, settings},
    user_function::UserFunction,
};
use cloudstate_proxy::error_code::ErrorCode;

fn act(client: &Client, id: &str) -> JoinHandle<Answer> {
    let (client, id) = (client.clone(), id.to_owned());
    tokio::spawn(async move { client.act(&id, "").await })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_recently_used_entity_makes_room() {
    let mut function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.max_entities = 2;
    let (_proxy, client) = host_with(settings).await;
    let mut streams = Vec::new();
    for id in ["e1", "e2"] {
        let call = act(&client, id);
        let (mut stream, _) = function.activation().await;
        stream.answer("").await;
        call.await.unwrap().reply();
        streams.push(stream);
    }
    // Now the second one is the one used least recently.
    let call = act(&client, "e1");
    streams[0].answer("").await;
    call.await.unwrap().reply();

    let call = act(&client, "e3");
    let (mut third, _) = function.activation().await;
    streams[1].half_closed().await;
    third.answer("room").await;
    assert_eq!(call.await.unwrap().reply(), "room");
    assert!(streams[0].is_quiet(), "one too many was asked to leave");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_are_busy_another_one_is_refused() {
    let mut function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.max_entities = 1;
    let (_proxy, client) = host_with(settings).await;
    let busy = act(&client, "e1");
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    let refused = act(&client, "e2").await.unwrap();
    let text = "too many entities are busy at once";
    let text = explained("test.Things/Do, entity \"e2\"", ErrorCode::TooManyEntities, text);
    assert_eq!(refused.failure(), (Code::ResourceExhausted, &*text));
    stream.reply(1, "done");
    assert_eq!(busy.await.unwrap().reply(), "done");
    let call = act(&client, "e2");
    stream.half_closed().await;
    drop(stream);
    let (mut stream, _) = function.activation().await;
    stream.answer("room").await;
    assert_eq!(call.await.unwrap().reply(), "room");
}

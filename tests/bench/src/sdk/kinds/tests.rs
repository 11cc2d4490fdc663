//! A comparison is fair only if both servers send the same.

use cloudstate_proto::action::ActionResponse;
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::{Request, client::Grpc, transport::Endpoint};
use tonic_prost::ProstCodec;

use super::{
    Conversation,
    action::{self, UNARY_PATH, unary_command},
    crdt, event_sourced, payload, value,
};
use crate::sdk::{Error, bare, server};

#[tokio::test]
async fn canned_answers_are_those_of_the_sdk() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let bare = listener.local_addr()?.port();
    tokio::spawn(bare::serve(listener));
    let server = server::bind_sdk().await?;
    let sdk = server.address().port();
    tokio::spawn(server.serve());

    same_answer::<event_sourced::Counter>(bare, sdk).await?;
    same_answer::<value::Counter>(bare, sdk).await?;
    same_answer::<crdt::Counter>(bare, sdk).await?;
    same_answer::<action::Sums>(bare, sdk).await?;
    assert_eq!(unary_answer(bare).await?, unary_answer(sdk).await?);
    Ok(())
}

async fn same_answer<C: Conversation>(bare: u16, sdk: u16) -> Result<(), Error>
where
    C::Out: std::fmt::Debug + PartialEq,
{
    let answer = first_answer::<C>(bare).await?;
    assert!(answer.is_some(), "{} is answered", C::PATH);
    assert_eq!(answer, first_answer::<C>(sdk).await?, "{}", C::PATH);
    Ok(())
}

async fn first_answer<C: Conversation>(port: u16) -> Result<Option<C::Out>, Error> {
    let messages = tokio_stream::iter([C::opening("counter"), C::command("counter", 1, payload("counter"))]);
    let (path, codec) = (PathAndQuery::from_static(C::PATH), ProstCodec::<C::In, C::Out>::default());
    let answers = connect(port).await?.streaming(Request::new(messages), path, codec).await?;
    Ok(answers.into_inner().message().await?)
}

async fn unary_answer(port: u16) -> Result<ActionResponse, Error> {
    let request = Request::new(unary_command(payload("counter")));
    let (path, codec) = (PathAndQuery::from_static(UNARY_PATH), ProstCodec::default());
    Ok(connect(port).await?.unary(request, path, codec).await?.into_inner())
}

async fn connect(port: u16) -> Result<Grpc<tonic::transport::Channel>, Error> {
    let mut grpc = Grpc::new(Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?.connect().await?);
    grpc.ready().await?;
    Ok(grpc)
}

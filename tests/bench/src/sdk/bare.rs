//! The least any gRPC server does: decodes each message and sends an answer made in advance.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use cloudstate_proto::{
    action::action_protocol_server::ActionProtocolServer, crdt::crdt_server::CrdtServer,
    eventsourced::event_sourced_server::EventSourcedServer,
    valueentity::value_entity_server::ValueEntityServer,
};
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

use crate::sdk::{Error, kinds::Conversation};

/// Its services are beside the kinds.
pub(crate) struct Bare;

pub(crate) async fn serve(listener: TcpListener) -> Result<(), Error> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder()
        .add_service(EventSourcedServer::new(Bare))
        .add_service(ValueEntityServer::new(Bare))
        .add_service(CrdtServer::new(Bare))
        .add_service(ActionProtocolServer::new(Bare));
    Ok(server.serve_with_incoming(incoming).await?)
}

/// Answers commands; what else comes in is read and forgotten.
pub(crate) struct CannedAnswers<C: Conversation> {
    inbound: Streaming<C::In>,
}

impl<C: Conversation> CannedAnswers<C> {
    pub(crate) fn to(request: Request<Streaming<C::In>>) -> Response<Self> {
        Response::new(Self { inbound: request.into_inner() })
    }
}

impl<C: Conversation> Stream for CannedAnswers<C> {
    type Item = Result<C::Out, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.inbound).poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                Some(Ok(message)) => {
                    if let Some(answer) = C::canned_answer(&message) {
                        return Poll::Ready(Some(Ok(answer)));
                    }
                }
            }
        }
    }
}

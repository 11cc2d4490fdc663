//! The least any gRPC server does: decodes each message and sends a reply made in advance.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use cloudstate_proto::{
    Any, ClientAction, Reply, client_action,
    eventsourced::{
        EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
        event_sourced_server::{EventSourced, EventSourcedServer},
        event_sourced_stream_in, event_sourced_stream_out,
    },
};
use prost::{Message, Name};
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

use crate::{
    Error,
    counter::bench::{Increased, Total},
};

pub(crate) async fn serve(listener: TcpListener) -> Result<(), Error> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(Server::builder().add_service(EventSourcedServer::new(Bare)).serve_with_incoming(incoming).await?)
}

struct Bare;

#[tonic::async_trait]
impl EventSourced for Bare {
    type handleStream = CannedReplies;

    async fn handle(
        &self,
        request: Request<Streaming<EventSourcedStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        Ok(Response::new(CannedReplies { inbound: request.into_inner(), canned: canned_reply() }))
    }
}

/// Answers commands; what else comes in is read and forgotten.
struct CannedReplies {
    inbound: Streaming<EventSourcedStreamIn>,
    canned: EventSourcedReply,
}

impl Stream for CannedReplies {
    type Item = Result<EventSourcedStreamOut, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.inbound).poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                Some(Ok(EventSourcedStreamIn {
                    message: Some(event_sourced_stream_in::Message::Command(command)),
                })) => {
                    let reply = EventSourcedReply { command_id: command.id, ..self.canned.clone() };
                    let message = Some(event_sourced_stream_out::Message::Reply(reply));
                    return Poll::Ready(Some(Ok(EventSourcedStreamOut { message })));
                }
                Some(Ok(_)) => {}
            }
        }
    }
}

fn canned_reply() -> EventSourcedReply {
    let reply = Reply { payload: Some(any(&Total { value: 1 })), ..Reply::default() };
    EventSourcedReply {
        client_action: Some(ClientAction { action: Some(client_action::Action::Reply(reply)) }),
        events: vec![any(&Increased { amount: 1 })],
        ..EventSourcedReply::default()
    }
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec().into() }
}

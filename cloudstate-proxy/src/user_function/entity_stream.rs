//! One open stream of an entity.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, Streaming, client::Grpc, codegen::BoxFuture};

use super::{Agreed, EntityProtocol, pool::Place};

/// Messages that may wait to be written to one stream.
const OUTBOUND_MESSAGES: usize = 16;
/// A process that goes away may end its streams a moment before its connections.
const GOING_AWAY: Duration = Duration::from_millis(200);
/// How often is looked meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A stream that counts against its connection until it is dropped.
pub(crate) struct EntityStream<P: EntityProtocol> {
    /// Our side. Dropping it half-closes the stream.
    ///
    /// Messages are boxed because a queue has room for dozens, even if there is never more than one in it.
    pub(crate) outbound: Option<mpsc::Sender<Box<P::In>>>,
    inbound: Inbound<P::Out>,
    status_codes: bool,
    place: Place,
}

#[allow(clippy::large_enum_variant, reason = "it is the large one nearly all the time")]
enum Inbound<M> {
    /// The response headers have not come yet; the user function may wait for our first message.
    Opening(BoxFuture<Response<Streaming<M>>, Status>),
    Open(Streaming<M>),
}

impl<P: EntityProtocol> EntityStream<P> {
    pub(super) fn open(place: Place, agreed: Agreed, max_message_size: usize) -> Self {
        let Agreed { extensions, crdts } = agreed;
        let (outbound, messages) = mpsc::channel::<Box<P::In>>(OUTBOUND_MESSAGES);
        let messages = ReceiverStream::new(messages).map(move |mut message| {
            // The metadata of a command to an entity means something only between peers that agreed on it.
            if !extensions.trace_context
                && let Some(command) = P::command_in(&mut message)
            {
                command.metadata = None;
            }
            *message
        });
        let request = extensions.request(messages);
        let mut grpc = Grpc::with_origin(place.connection.clone(), place.connection.origin())
            .max_decoding_message_size(max_message_size);
        let opening = async move {
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            grpc.streaming(request, P::PATH, P::codec(crdts)).await
        };
        Self {
            outbound: Some(outbound),
            inbound: Inbound::Opening(Box::pin(opening)),
            status_codes: extensions.status_codes,
            place,
        }
    }

    /// The next message of the user function; none when it completed its side with OK. Cancel safe.
    pub(crate) async fn message(&mut self) -> Result<Option<P::Out>, Status> {
        if let Inbound::Opening(opening) = &mut self.inbound {
            self.inbound = Inbound::Open(opening.as_mut().await?.into_inner());
        }
        let Inbound::Open(stream) = &mut self.inbound else { return Ok(None) };
        let mut message = stream.message().await?;
        // Field 4 of a failure means something only between peers that agreed on it.
        if let Some(message) = &mut message
            && !self.status_codes
            && let Some(failure) = P::failure(message)
        {
            failure.grpc_status_code = 0;
        }
        Ok(message)
    }

    /// Of a stream that ended: whether its connection ends as well, so that it is the process that goes away and not
    /// this entity alone that failed.
    pub(crate) async fn has_lost_connection(self) -> bool {
        let connection = &self.place.connection;
        // A process that stops gracefully says so on the connection, perhaps after it ended the stream, and keeps the
        // connection for its other streams.
        let gone = async {
            while connection.is_open() {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        tokio::time::timeout(GOING_AWAY, gone).await.is_ok()
    }
}

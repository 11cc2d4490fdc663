//! One call of an action.

use cloudstate_proto::action::{ActionCommand, ActionResponse};
use futures_util::Stream;
use http::uri::PathAndQuery;
use tonic::{Status, Streaming, client::Grpc};

use super::{Extensions, codec::SmallBufferCodec, pool::Place};

/// A connection lent for one call of an action; keep it until the call is over.
pub(crate) struct ActionCall {
    place: Place,
    max_message_size: usize,
    extensions: Extensions,
}

impl ActionCall {
    pub(super) fn new(place: Place, extensions: Extensions, max_message_size: usize) -> Self {
        Self { place, max_message_size, extensions }
    }

    /// Makes the call at `path`; resolves when the response headers have come. All four shapes look like this.
    pub(crate) async fn open(
        &self,
        path: PathAndQuery,
        commands: impl Stream<Item = ActionCommand> + Send + 'static,
    ) -> Result<Streaming<ActionResponse>, Status> {
        let connection = self.place.connection.clone();
        let origin = connection.origin();
        let mut grpc = Grpc::with_origin(connection, origin).max_decoding_message_size(self.max_message_size);
        // The error that has the reason as its source, for whoever asks whether the call was sent.
        grpc.ready().await.map_err(Status::from_error)?;
        let request = self.extensions.request(commands);
        Ok(grpc.streaming(request, path, SmallBufferCodec::default()).await?.into_inner())
    }

    /// Whether field 4 of a failure means something.
    pub(crate) fn status_codes(&self) -> bool {
        self.extensions.status_codes
    }

    /// Whether the connection takes new calls; no: what just failed, failed because the user function goes away.
    pub(crate) fn is_open(&self) -> bool {
        self.place.connection.is_open()
    }
}

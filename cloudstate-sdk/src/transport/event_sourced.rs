use cloudstate_proto::eventsourced::EventSourcedStreamIn;
use cloudstate_proto::eventsourced::event_sourced_server::EventSourced;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::entity_streams::{EntityStreams, Replies};
use crate::event_sourced::Kind;

#[async_trait]
impl EventSourced for EntityStreams<Kind> {
    type handleStream = Replies<Kind>;

    async fn handle(
        &self,
        request: Request<Streaming<EventSourcedStreamIn>>,
    ) -> Result<Response<Replies<Kind>>, Status> {
        Ok(self.open(request))
    }
}

use cloudstate_proto::valueentity::ValueEntityStreamIn;
use cloudstate_proto::valueentity::value_entity_server::ValueEntity;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::entity_streams::{EntityStreams, Replies};
use crate::value::Kind;

#[async_trait]
impl ValueEntity for EntityStreams<Kind> {
    type handleStream = Replies<Kind>;

    async fn handle(
        &self,
        request: Request<Streaming<ValueEntityStreamIn>>,
    ) -> Result<Response<Replies<Kind>>, Status> {
        Ok(self.open(request))
    }
}

//! Publishing the replies of methods with `eventing.out`.

use std::sync::Arc;

use cloudstate_proto::Reply;

use super::{
    cloud_event,
    topics::{Message, Topics},
};
use crate::{error_code::ErrorCode, routing::Failure, service_catalog::Method};

/// Publishes replies before their callers get them.
#[derive(Clone)]
pub(crate) struct Publisher {
    topics: Arc<dyn Topics>,
}

impl Publisher {
    pub(crate) fn new(topics: Arc<dyn Topics>) -> Self {
        Self { topics }
    }

    /// Publishes `reply` to the topic of `method`, if there is one, with the payload that the user function gave it; a
    /// reply without payload is no message.
    pub(crate) async fn publish(&self, method: &Method, reply: &Reply) -> Result<(), Failure> {
        let (Some(topic), Some(payload)) = (method.publishes(), &reply.payload) else { return Ok(()) };
        let metadata = cloud_event::of_reply(&method.service.name, payload, reply.metadata.clone());
        let subject = cloud_event::subject(&metadata).unwrap_or_default().into();
        let message = Message { topic: topic.into(), subject, payload: payload.clone(), metadata };
        let published = self.topics.publish(message).await;
        published.map_err(|error| Failure::new(ErrorCode::NotPublished, error.to_string()))
    }
}

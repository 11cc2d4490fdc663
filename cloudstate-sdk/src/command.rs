//! What all kinds of entities share: a command comes with a [`Context`] and ends in a [`Reply`].

mod cloud_event;
mod context;
pub(crate) mod dispatch;
mod failure;
mod forward;
mod metadata;
pub(crate) mod reply;
mod side_effect;
mod stream_call;
mod stream_reply;

pub use cloud_event::{CloudEvent, EventAttributes, NotACloudEvent};
pub use context::Context;
pub use dispatch::{CommandError, RawEffect};
pub use failure::{Code, Failure};
pub use forward::ServiceCall;
pub use metadata::{Metadata, MetadataValue};
pub use reply::{CommandEffect, Effect, Reply};
pub use side_effect::SideEffect;
pub use stream_call::StreamCall;
pub use stream_reply::{Replies, StreamReply};

//! What all kinds of entities share: a command comes with a [`Context`] and ends in a [`Reply`].

mod cloud_event;
mod context;
mod delete;
pub(crate) mod dispatch;
mod failure;
mod forward;
mod metadata;
pub(crate) mod replies;
pub(crate) mod reply;
mod side_effect;
mod stream_call;
pub(crate) mod trace;

pub use cloud_event::{CloudEvent, EventAttributes, NotACloudEvent};
pub use context::Context;
pub use delete::{Deletable, Deletion};
pub use dispatch::{CommandError, RawEffect};
pub use failure::{Code, Failure};
pub use forward::ServiceCall;
pub use metadata::{Metadata, MetadataValue};
pub use replies::{Replies, StreamReply};
pub use reply::{CommandEffect, Effect, Reply};
pub use side_effect::SideEffect;
pub use stream_call::StreamCall;

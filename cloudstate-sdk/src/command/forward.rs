use std::{borrow::Cow, fmt, marker::PhantomData};

use cloudstate_proto as proto;

use super::Metadata;
use crate::{Any, payload, payload::ProtobufMessage};

/// A call of one rpc of this user function, that answers with an `R`: the target of a forward or a side effect,
/// or the input of a test kit.
///
/// `cloudstate-build` generates a function per rpc that makes one: `shopping_cart::get_cart(request)`.
#[must_use = "a call does nothing until it is forwarded to or made a side effect"]
pub struct ServiceCall<R> {
    service: Cow<'static, str>,
    command: Cow<'static, str>,
    payload: Any,
    metadata: Metadata,
    reply: PhantomData<fn() -> R>,
}

impl<R> ServiceCall<R> {
    /// A call by name. Nothing checks that the rpc exists and answers with an `R`: prefer the generated
    /// functions.
    pub fn new<M: ProtobufMessage>(service: &'static str, command: &'static str, payload: &M) -> Self {
        Self {
            service: service.into(),
            command: command.into(),
            payload: payload::encode(payload),
            metadata: Metadata::new(),
            reply: PhantomData,
        }
    }

    /// Sends metadata with the call. The reference proxy passes it to actions only.
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// The full name of the service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The name of the rpc.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The request.
    pub fn payload(&self) -> &Any {
        &self.payload
    }

    /// The metadata that goes with the call.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(super) fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// Decodes the request.
    ///
    /// # Errors
    /// When the request is not an `M`.
    pub fn decode<M: ProtobufMessage>(&self) -> Result<M, crate::DecodeError> {
        payload::decode(&self.payload)
    }

    pub(crate) fn into_forward(self) -> proto::Forward {
        proto::Forward {
            service_name: self.service.into_owned(),
            command_name: self.command.into_owned(),
            payload: Some(self.payload),
            metadata: self.metadata.into_proto(),
        }
    }

    pub(crate) fn from_forward(forward: proto::Forward) -> Self {
        Self::from_parts(forward.service_name, forward.command_name, forward.payload, forward.metadata)
    }

    pub(super) fn into_side_effect(self, synchronous: bool) -> proto::SideEffect {
        proto::SideEffect {
            service_name: self.service.into_owned(),
            command_name: self.command.into_owned(),
            payload: Some(self.payload),
            synchronous,
            metadata: self.metadata.into_proto(),
        }
    }

    pub(super) fn from_parts(
        service: String,
        command: String,
        payload: Option<Any>,
        metadata: Option<proto::Metadata>,
    ) -> Self {
        Self {
            service: service.into(),
            command: command.into(),
            payload: payload.unwrap_or_default(),
            metadata: Metadata::from_proto(metadata),
            reply: PhantomData,
        }
    }

    pub(super) fn untyped(self) -> ServiceCall<Any> {
        ServiceCall {
            service: self.service,
            command: self.command,
            payload: self.payload,
            metadata: self.metadata,
            reply: PhantomData,
        }
    }
}

// Not derived: a derive would ask the same of `R`.
impl<R> Clone for ServiceCall<R> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            command: self.command.clone(),
            payload: self.payload.clone(),
            metadata: self.metadata.clone(),
            reply: PhantomData,
        }
    }
}

impl<R> PartialEq for ServiceCall<R> {
    fn eq(&self, other: &Self) -> bool {
        self.service == other.service
            && self.command == other.command
            && self.payload == other.payload
            && self.metadata == other.metadata
    }
}

impl<R> fmt::Debug for ServiceCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceCall")
            .field("service", &self.service)
            .field("command", &self.command)
            .field("payload", &self.payload)
            .field("metadata", &self.metadata)
            .finish()
    }
}

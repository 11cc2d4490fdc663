use std::time::Duration;

use proc_macro2::TokenStream;
use syn::{Generics, Item, LitInt, LitStr, Path, Type};

use super::default_sdk;
use crate::attributes::{Arguments, EVENT_SOURCED_ENTITY};
use crate::diagnostics::Diagnostics;
use crate::validate;

/// An event sourced entity, as its attribute describes it. What is missing after a mistake is `None`.
pub(crate) struct EventSourcedEntity {
    /// With its generic arguments.
    pub(crate) entity: Type,
    pub(crate) generics: Generics,
    /// The module that was generated for the gRPC service.
    pub(crate) service: Option<Path>,
    pub(crate) persistence_id: Option<LitStr>,
    pub(crate) snapshot_every: Option<LitInt>,
    pub(crate) passivate_after: Option<Duration>,
    /// Where the SDK is found.
    pub(crate) sdk: Path,
}

impl EventSourcedEntity {
    /// `None` when the item defines no type that could be an entity.
    pub(crate) fn read(arguments: TokenStream, item: &Item, diagnostics: &mut Diagnostics) -> Option<Self> {
        let subject = validate::annotated_struct(item, diagnostics);
        let arguments = Arguments::parse(&EVENT_SOURCED_ENTITY, arguments, diagnostics);
        let service = validate::service(&arguments, diagnostics);
        let persistence_id = validate::persistence_id(&arguments, diagnostics);
        let snapshot_every = validate::snapshot_every(&arguments, diagnostics);
        let passivate_after = validate::passivate_after(&arguments, diagnostics);
        let sdk = validate::sdk(&arguments, diagnostics).unwrap_or_else(default_sdk);
        let (entity, generics) = subject?;
        Some(Self { entity, generics, service, persistence_id, snapshot_every, passivate_after, sdk })
    }

    /// Whether it is one type, and not one for each argument.
    pub(crate) fn is_concrete(&self) -> bool {
        self.generics.params.is_empty()
    }
}

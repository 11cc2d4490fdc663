use std::time::Duration;

use syn::{Generics, Item, LitStr, Path, Type};

use super::default_sdk;
use crate::attributes::{Arguments, Options};
use crate::diagnostics::Diagnostics;
use crate::validate;

/// What the attribute of every kind of entity says. What is missing after a mistake is `None`.
pub(crate) struct Declaration {
    /// With its generic arguments.
    pub(crate) entity: Type,
    pub(crate) generics: Generics,
    /// The module that was generated for the gRPC service.
    pub(crate) service: Option<Path>,
    pub(crate) persistence_id: Option<LitStr>,
    pub(crate) passivate_after: Option<Duration>,
    /// Where the SDK is found.
    pub(crate) sdk: Path,
}

impl Declaration {
    /// `None` when the item defines no type that could be an entity.
    pub(super) fn read(
        options: &Options,
        arguments: &Arguments,
        item: &Item,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let subject = validate::annotated_struct(options, item, diagnostics);
        let service = validate::service(arguments, diagnostics);
        let persistence_id = validate::persistence_id(arguments, diagnostics);
        let passivate_after = validate::passivate_after(arguments, diagnostics);
        let sdk = validate::sdk(arguments, diagnostics).unwrap_or_else(default_sdk);
        let (entity, generics) = subject?;
        Some(Self { entity, generics, service, persistence_id, passivate_after, sdk })
    }

    /// For a kind that stores nothing. `None` when the item defines no type.
    pub(super) fn without_state(
        options: &Options,
        arguments: &Arguments,
        item: &Item,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let subject = validate::annotated_struct(options, item, diagnostics);
        let service = validate::service(arguments, diagnostics);
        let sdk = validate::sdk(arguments, diagnostics).unwrap_or_else(default_sdk);
        let (entity, generics) = subject?;
        Some(Self { entity, generics, service, persistence_id: None, passivate_after: None, sdk })
    }

    /// Whether it is one type, and not one for each argument.
    pub(crate) fn is_concrete(&self) -> bool {
        self.generics.params.is_empty()
    }
}

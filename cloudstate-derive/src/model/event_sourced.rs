use proc_macro2::TokenStream;
use syn::{Item, LitInt};

use super::Declaration;
use crate::attributes::{Arguments, EVENT_SOURCED_ENTITY};
use crate::diagnostics::Diagnostics;
use crate::validate;

/// An event sourced entity, as its attribute describes it.
pub(crate) struct EventSourcedEntity {
    pub(crate) declaration: Declaration,
    pub(crate) snapshot_every: Option<LitInt>,
}

impl EventSourcedEntity {
    /// `None` when the item defines no type that could be an entity.
    pub(crate) fn read(arguments: TokenStream, item: &Item, diagnostics: &mut Diagnostics) -> Option<Self> {
        let arguments = Arguments::parse(&EVENT_SOURCED_ENTITY, arguments, diagnostics);
        let declaration = Declaration::read(&EVENT_SOURCED_ENTITY, &arguments, item, diagnostics);
        let snapshot_every = validate::snapshot_every(&arguments, diagnostics);
        Some(Self { declaration: declaration?, snapshot_every })
    }
}

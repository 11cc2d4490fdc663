use syn::{Ident, LitStr, Path, Type};

use super::default_sdk;
use crate::attributes::{Arguments, EVENT_ENUM, EVENT_VARIANT};
use crate::diagnostics::Diagnostics;
use crate::validate;

/// An enum of events.
pub(crate) struct EventEnum {
    pub(crate) name: Ident,
    /// Those without mistakes.
    pub(crate) variants: Vec<Variant>,
    /// For all that no variant knows.
    pub(crate) other: Option<Variant>,
    /// Whether there are variants that are not among `variants`.
    pub(crate) is_incomplete: bool,
    /// Where the SDK is found.
    pub(crate) sdk: Path,
}

/// A variant with its one message.
pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) message: Type,
    pub(crate) aliases: Vec<Alias>,
    /// Earlier messages, converted with `From`.
    pub(crate) upcasts: Vec<Path>,
    pub(crate) is_other: bool,
}

/// An earlier name of the message.
pub(crate) struct Alias {
    pub(crate) literal: LitStr,
    /// Without what stands before the last `/`.
    pub(crate) type_name: String,
}

impl EventEnum {
    /// `None` when the item cannot be an event at all.
    pub(crate) fn read(item: &syn::DeriveInput, diagnostics: &mut Diagnostics) -> Option<Self> {
        let declared = validate::event_enum(item, diagnostics)?;
        let arguments = Arguments::of_helpers(&EVENT_ENUM, &item.attrs, diagnostics);
        let sdk = validate::sdk(&arguments, diagnostics).unwrap_or_else(default_sdk);
        let variants: Vec<_> =
            declared.variants.iter().filter_map(|variant| Variant::read(variant, diagnostics)).collect();
        let (other, variants) = validate::other(declared, variants, diagnostics);
        let variants = validate::distinct_messages(variants, diagnostics);
        validate::distinct_aliases(&variants, diagnostics);
        let is_incomplete = variants.len() + usize::from(other.is_some()) < declared.variants.len();
        Some(Self { name: item.ident.clone(), variants, other, is_incomplete, sdk })
    }
}

impl Variant {
    fn read(variant: &syn::Variant, diagnostics: &mut Diagnostics) -> Option<Self> {
        let arguments = Arguments::of_helpers(&EVENT_VARIANT, &variant.attrs, diagnostics);
        let aliases = validate::aliases(&arguments, diagnostics);
        let upcasts = validate::upcasts(&arguments, diagnostics);
        let message = validate::single_message(variant, diagnostics)?;
        let is_other = arguments.flag("other").is_some();
        Some(Self { name: variant.ident.clone(), message, aliases, upcasts, is_other })
    }
}

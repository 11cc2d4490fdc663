use syn::{DeriveInput, Generics, Ident, LitStr, Path, Type};

use super::default_sdk;
use crate::attributes::{Arguments, PRODUCT, PRODUCT_FIELD};
use crate::diagnostics::Diagnostics;
use crate::validate;

/// A struct of CRDTs.
pub(crate) struct Product {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) fields: Vec<ProductField>,
    /// Where the SDK is found.
    pub(crate) sdk: Path,
}

/// One of its CRDTs.
pub(crate) struct ProductField {
    pub(crate) name: Ident,
    pub(crate) crdt: Type,
    /// Under which it travels.
    pub(crate) key: LitStr,
}

impl Product {
    /// `None` when the item cannot be one at all.
    pub(crate) fn read(item: &DeriveInput, diagnostics: &mut Diagnostics) -> Option<Self> {
        let declared = validate::product(item, diagnostics)?;
        let arguments = Arguments::of_helpers(&PRODUCT, &item.attrs, diagnostics);
        let sdk = validate::sdk(&arguments, diagnostics).unwrap_or_else(default_sdk);
        let fields: Vec<_> =
            declared.named.iter().filter_map(|field| ProductField::read(field, diagnostics)).collect();
        validate::distinct_keys(&fields, diagnostics);
        Some(Self { name: item.ident.clone(), generics: item.generics.clone(), fields, sdk })
    }
}

impl ProductField {
    fn read(field: &syn::Field, diagnostics: &mut Diagnostics) -> Option<Self> {
        let name = field.ident.clone()?;
        let arguments = Arguments::of_helpers(&PRODUCT_FIELD, &field.attrs, diagnostics);
        let key = validate::key(&name, &arguments, diagnostics);
        Some(Self { name, crdt: field.ty.clone(), key })
    }
}

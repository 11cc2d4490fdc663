//! The fields of a struct that holds its state in one of them.

use syn::{GenericArgument, Index, Item, ItemStruct, Member, PathArguments, Type};

use crate::attributes::{FIELD, is_marked};
use crate::diagnostics::Diagnostics;

const MARKER: &str = "cloudstate";

/// Those that are not marked `#[cloudstate(dependency)]`.
pub(crate) fn of_state<'a>(item: &'a ItemStruct, diagnostics: &mut Diagnostics) -> Vec<(Member, &'a Type)> {
    let mut fields = Vec::new();
    for (index, field) in (0..).zip(&item.fields) {
        if !is_marked(&FIELD, MARKER, &field.attrs, diagnostics) {
            let member = field.ident.clone().map_or(Member::Unnamed(Index::from(index)), Member::Named);
            fields.push((member, &field.ty));
        }
    }
    fields
}

/// The item as it will be compiled: the markers were for us.
pub(crate) fn without_markers(mut item: Item) -> Item {
    if let Item::Struct(item) = &mut item {
        for field in &mut item.fields {
            field.attrs.retain(|attribute| !attribute.path().is_ident(MARKER));
        }
    }
    item
}

/// The `T` of an `Option<T>`. A macro sees names only: an alias for it is not recognised.
pub(crate) fn within_option(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}

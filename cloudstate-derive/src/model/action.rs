use proc_macro2::TokenStream;
use syn::Item;

use super::Declaration;
use crate::attributes::{ACTION, Arguments};
use crate::diagnostics::Diagnostics;

/// An action, as its attribute describes it.
pub(crate) struct Action {
    pub(crate) declaration: Declaration,
}

impl Action {
    /// `None` when the item defines no type that could be an action.
    pub(crate) fn read(arguments: TokenStream, item: &Item, diagnostics: &mut Diagnostics) -> Option<Self> {
        let arguments = Arguments::parse(&ACTION, arguments, diagnostics);
        let declaration = Declaration::without_state(&ACTION, &arguments, item, diagnostics)?;
        Some(Self { declaration })
    }
}

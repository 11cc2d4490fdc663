use proc_macro2::TokenStream;
use syn::{Item, Member, Type};

use super::{Declaration, fields};
use crate::attributes::{Arguments, CRDT_ENTITY};
use crate::diagnostics::Diagnostics;
use crate::validate;

/// A CRDT entity, as its attribute describes it.
pub(crate) struct CrdtEntity {
    pub(crate) declaration: Declaration,
    /// The field that is replicated. Missing after a mistake.
    pub(crate) root: Option<(Member, Type)>,
}

impl CrdtEntity {
    /// `None` when the item defines no type that could be an entity.
    pub(crate) fn read(arguments: TokenStream, item: &Item, diagnostics: &mut Diagnostics) -> Option<Self> {
        let arguments = Arguments::parse(&CRDT_ENTITY, arguments, diagnostics);
        let mut declaration = Declaration::without_state(&CRDT_ENTITY, &arguments, item, diagnostics)?;
        declaration.passivate_after = validate::passivate_after(&arguments, diagnostics);
        let root = match item {
            Item::Struct(item) => {
                let fields = fields::of_state(item, diagnostics);
                validate::single_root(item, &fields, diagnostics);
                fields.into_iter().next().map(|(member, ty)| (member, ty.clone()))
            }
            _ => None,
        };
        Some(Self { declaration, root })
    }
}

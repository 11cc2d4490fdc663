use proc_macro2::TokenStream;
use syn::{Item, Member, Type};

use super::{Declaration, fields};
use crate::attributes::{Arguments, VALUE_ENTITY};
use crate::diagnostics::Diagnostics;
use crate::validate;

/// A value entity, as its attribute describes it.
pub(crate) struct ValueEntity {
    pub(crate) declaration: Declaration,
    /// Missing after a mistake.
    pub(crate) state: Option<State>,
}

/// The field that holds the state.
pub(crate) struct State {
    pub(crate) member: Member,
    /// The message, without its `Option`.
    pub(crate) message: Type,
    pub(crate) is_optional: bool,
}

impl ValueEntity {
    /// `None` when the item defines no type that could be an entity.
    pub(crate) fn read(arguments: TokenStream, item: &Item, diagnostics: &mut Diagnostics) -> Option<Self> {
        let arguments = Arguments::parse(&VALUE_ENTITY, arguments, diagnostics);
        let declaration = Declaration::read(&VALUE_ENTITY, &arguments, item, diagnostics)?;
        let state = match item {
            Item::Struct(item) => {
                let fields = fields::of_state(item, diagnostics);
                validate::single_state(item, &fields, "struct Profiles(Profile);", diagnostics);
                fields.into_iter().next().map(|(member, ty)| State::of(member, ty))
            }
            _ => None,
        };
        Some(Self { declaration, state })
    }
}

impl State {
    fn of(member: Member, field: &Type) -> Self {
        let within = fields::within_option(field);
        Self { member, message: within.unwrap_or(field).clone(), is_optional: within.is_some() }
    }
}

//! Arguments of the form `name = value`, with their spans. What a value may be is for [`crate::validate`].

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, Token};

use crate::diagnostics::Diagnostics;

/// The options of `#[event_sourced_entity]`.
pub(crate) const EVENT_SOURCED_ENTITY: Options = Options {
    attribute: "#[event_sourced_entity]",
    subject: "the entity's state",
    names: &["service", "persistence_id", "snapshot_every", "passivate_after", "crate"],
    flags: &[],
};
/// The options of `#[value_entity]`.
pub(crate) const VALUE_ENTITY: Options = Options {
    attribute: "#[value_entity]",
    subject: "the entity's state",
    names: &["service", "persistence_id", "passivate_after", "crate"],
    flags: &[],
};
/// The options of `#[crdt_entity]`.
pub(crate) const CRDT_ENTITY: Options = Options {
    attribute: "#[crdt_entity]",
    subject: "the entity's CRDT",
    names: &["service", "passivate_after", "crate"],
    flags: &[],
};
/// The options of `#[crdt]` on a struct.
pub(crate) const PRODUCT: Options =
    Options { attribute: "#[crdt]", subject: "CRDTs", names: &["crate"], flags: &[] };
/// The options of `#[crdt]` on a field.
pub(crate) const PRODUCT_FIELD: Options =
    Options { attribute: "#[crdt]", subject: "a CRDT", names: &["key"], flags: &[] };
/// The options of `#[cloudstate]` on a field.
pub(crate) const FIELD: Options =
    Options { attribute: "#[cloudstate]", subject: "a dependency", names: &[], flags: &["dependency"] };
/// The options of `#[action]`.
pub(crate) const ACTION: Options = Options {
    attribute: "#[action]",
    subject: "the action's dependencies",
    names: &["service", "crate"],
    flags: &[],
};
/// The options of `#[event]` on an enum.
pub(crate) const EVENT_ENUM: Options =
    Options { attribute: "#[event]", subject: "events", names: &["crate"], flags: &[] };
/// The options of `#[event]` on a variant.
pub(crate) const EVENT_VARIANT: Options = Options {
    attribute: "#[event]",
    subject: "an event",
    names: &["alias", "upcast_from"],
    flags: &["other"],
};

/// What an attribute understands.
pub(crate) struct Options {
    /// As in an error message.
    pub(crate) attribute: &'static str,
    /// What the annotated item holds.
    pub(crate) subject: &'static str,
    /// With a value.
    pub(crate) names: &'static [&'static str],
    /// Without one.
    pub(crate) flags: &'static [&'static str],
}

impl Options {
    /// All that is understood, as an error message lists it.
    pub(crate) fn known(&self) -> String {
        [self.names, self.flags].concat().join(", ")
    }

    fn flag(&self, tokens: &TokenStream) -> Option<Ident> {
        let name = syn::parse2::<Ident>(tokens.clone()).ok()?;
        self.flags.iter().any(|flag| name == flag).then_some(name)
    }
}

/// What was given.
#[derive(Default)]
pub(crate) struct Arguments {
    arguments: Vec<Argument>,
    flags: Vec<Ident>,
}

pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) value: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `crate` is a keyword, and a name here.
        let name = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            return Err(crate::validate::needs_a_value(&name));
        }
        input.parse::<Token![=]>()?;
        Ok(Self { name, value: input.parse()? })
    }
}

impl Arguments {
    /// Reads what stands between the parentheses of an attribute.
    pub(crate) fn parse(options: &Options, tokens: TokenStream, diagnostics: &mut Diagnostics) -> Self {
        let mut arguments = Self::default();
        for tokens in separated_by_commas(tokens) {
            if let Some(flag) = options.flag(&tokens) {
                arguments.flags.push(flag);
                continue;
            }
            let Some(argument) = diagnostics.check(syn::parse2::<Argument>(tokens)) else { continue };
            if options.names.iter().any(|name| argument.name == name) {
                arguments.arguments.push(argument);
            } else {
                diagnostics.unknown_option(options, &argument.name);
            }
        }
        arguments
    }

    /// The arguments of all such attributes, for example `#[event(..)]`, among those of an item.
    pub(crate) fn of_helpers(
        options: &Options,
        attributes: &[syn::Attribute],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut arguments = Self::default();
        let helper = options.attribute.trim_matches(['#', '[', ']']);
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(helper)) {
            if let Some(list) = diagnostics.check(attribute.meta.require_list()) {
                let Self { arguments: more, flags } = Self::parse(options, list.tokens.clone(), diagnostics);
                arguments.arguments.extend(more);
                arguments.flags.extend(flags);
            }
        }
        arguments
    }

    /// The argument of this name, which may be given once.
    pub(crate) fn once(&self, name: &str, diagnostics: &mut Diagnostics) -> Option<&Argument> {
        let mut all = self.all(name);
        let first = all.next();
        all.for_each(|again| diagnostics.given_twice(&again.name));
        first
    }

    /// The option of this name that has no value.
    pub(crate) fn flag(&self, name: &str) -> Option<&Ident> {
        self.flags.iter().find(|flag| *flag == name)
    }

    /// All arguments of this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().filter(move |argument| argument.name == name)
    }
}

/// Each part is parsed on its own, so that a mistake in one does not hide the others. The values that make sense
/// here have no commas.
fn separated_by_commas(tokens: TokenStream) -> impl Iterator<Item = TokenStream> {
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let parts: Vec<TokenStream> = tokens.split(is_comma).map(|part| part.iter().cloned().collect()).collect();
    parts.into_iter().filter(|part| !part.is_empty())
}

/// Whether there is an attribute named `helper`, which holds one option without a value.
pub(crate) fn is_marked(
    options: &Options,
    helper: &str,
    attributes: &[syn::Attribute],
    diagnostics: &mut Diagnostics,
) -> bool {
    let mut markers = attributes.iter().filter(|attribute| attribute.path().is_ident(helper)).peekable();
    let is_marked = markers.peek().is_some();
    for marker in markers {
        match diagnostics.check(marker.parse_args_with(Ident::parse_any)) {
            Some(name) if !options.flags.iter().any(|known| name == known) => {
                diagnostics.unknown_option(options, &name);
            }
            _ => {}
        }
    }
    is_marked
}

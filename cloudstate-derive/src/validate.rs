//! What is allowed, and every sentence about what is not.

use std::collections::HashSet;
use std::time::Duration;

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Data, DataEnum, DeriveInput, Expr, ExprLit, Fields, FieldsNamed, Generics, Ident, Item, ItemStruct, Lit,
    LitInt, LitStr, Member, Path, Type,
};

use crate::attributes::{Argument, Arguments, Options};
use crate::diagnostics::Diagnostics;
use crate::model::{Alias, ProductField, Variant};

impl Diagnostics {
    pub(crate) fn unknown_option(&mut self, options: &Options, name: &Ident) {
        let (attribute, known) = (options.attribute, options.known());
        self.error(name, format_args!("unknown `{attribute}` option `{name}`; expected one of: {known}"));
    }

    pub(crate) fn given_twice(&mut self, name: &Ident) {
        self.error(name, format_args!("`{name}` is given twice"));
    }
}

pub(crate) fn needs_a_value(name: &Ident) -> syn::Error {
    syn::Error::new_spanned(name, format!("`{name}` needs a value: `{name} = ..`"))
}

/// The struct's type and generics. For an `impl` block those of its type, which lets its other code compile.
pub(crate) fn annotated_struct(
    options: &Options,
    item: &Item,
    diagnostics: &mut Diagnostics,
) -> Option<(Type, Generics)> {
    let Options { attribute, subject, .. } = options;
    let elsewhere = format!("`{attribute}` goes on the struct that holds {subject}");
    match item {
        Item::Struct(item) => {
            let (name, (_, arguments, _)) = (&item.ident, item.generics.split_for_impl());
            return Some((syn::parse_quote!(#name #arguments), item.generics.clone()));
        }
        Item::Impl(item) => {
            diagnostics.error(item.impl_token, elsewhere);
            return Some(((*item.self_ty).clone(), item.generics.clone()));
        }
        Item::Enum(item) => {
            diagnostics.error(item.enum_token, format!("{elsewhere}; wrap the enum in a struct"))
        }
        Item::Fn(item) => diagnostics.error(item.sig.fn_token, elsewhere),
        Item::Trait(item) => diagnostics.error(item.trait_token, elsewhere),
        Item::Mod(item) => diagnostics.error(item.mod_token, elsewhere),
        item => diagnostics.error(item, elsewhere),
    }
    None
}

/// The state is in exactly one field. `such_as` is how that may look.
pub(crate) fn single_state(
    item: &ItemStruct,
    fields: &[(Member, &Type)],
    such_as: &str,
    diagnostics: &mut Diagnostics,
) {
    let name = &item.ident;
    match fields.len() {
        0 => diagnostics.error(
            name,
            format_args!("`{name}` has no field for its state; it needs exactly one, such as `{such_as}`"),
        ),
        1 => {}
        number => diagnostics.error(
            name,
            format_args!(
                "`{name}` has {number} fields that could be its state; mark those that are not with \
                 `#[cloudstate(dependency)]`"
            ),
        ),
    }
}

/// What is replicated is in exactly one field.
pub(crate) fn single_root(item: &ItemStruct, fields: &[(Member, &Type)], diagnostics: &mut Diagnostics) {
    let name = &item.ident;
    match fields.len() {
        0 => diagnostics.error(
            name,
            format_args!(
                "`{name}` has no field with a CRDT; it needs exactly one, such as `struct {name}(ORSet<String>);`"
            ),
        ),
        1 => {}
        number => diagnostics.error(
            name,
            format_args!(
                "`{name}` has {number} fields, and an entity replicates exactly one CRDT: use a struct with \
                 `#[derive(Crdt)]` or an `ORMap` for several, and mark what is not replicated with `#[cloudstate(dependency)]`"
            ),
        ),
    }
}

/// The named fields of a product of CRDTs.
pub(crate) fn product<'a>(item: &'a DeriveInput, diagnostics: &mut Diagnostics) -> Option<&'a FieldsNamed> {
    const STRUCT: &str = "`#[derive(Crdt)]` goes on a struct whose fields are CRDTs";
    match &item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => return Some(fields),
            _ => diagnostics.error(
                &item.ident,
                format_args!("{STRUCT}, and have names: they are the keys under which the values travel"),
            ),
        },
        Data::Enum(data) => {
            diagnostics.error(data.enum_token, format_args!("{STRUCT}; `AnyCrdt` is one of several"))
        }
        Data::Union(data) => diagnostics.error(data.union_token, STRUCT),
    }
    None
}

/// The key under which a field travels.
pub(crate) fn key(field: &Ident, arguments: &Arguments, diagnostics: &mut Diagnostics) -> LitStr {
    let given = arguments.once("key", diagnostics).map(|argument| &argument.value);
    let key = given.and_then(|value| string(value, "a string, such as \"members\"", diagnostics));
    key.unwrap_or_else(|| LitStr::new(&field.unraw().to_string(), field.span()))
}

pub(crate) fn distinct_keys(fields: &[ProductField], diagnostics: &mut Diagnostics) {
    let mut seen = HashSet::new();
    for ProductField { key, .. } in fields {
        if !seen.insert(key.value()) {
            diagnostics.error(
                key,
                format_args!("two fields have the key {:?}, under which they travel", key.value()),
            );
        }
    }
}

pub(crate) fn service(arguments: &Arguments, diagnostics: &mut Diagnostics) -> Option<Path> {
    const EXPECTED: &str = "the path of the module generated for the gRPC service";
    match arguments.once("service", diagnostics).map(|argument| &argument.value) {
        Some(Expr::Path(path)) if path.qself.is_none() => Some(path.path.clone()),
        Some(value @ Expr::Lit(ExprLit { lit: Lit::Str(name), .. })) => {
            // Most likely meant, and good enough to check the rest of the file with.
            let module = module_of_service(name);
            let written = module.as_ref().map_or("shopping_cart".into(), Ident::to_string);
            diagnostics.error(value, format_args!("expected {EXPECTED}: write `service = {written}`"));
            module.map(Path::from)
        }
        Some(value) => {
            diagnostics.error(value, format_args!("expected {EXPECTED}, such as `service = shopping_cart`"));
            None
        }
        None => {
            let message = format!("`service` is missing: {EXPECTED}, such as `service = shopping_cart`");
            diagnostics.error_at_attribute(message);
            None
        }
    }
}

/// `shopping_cart` for `"com.example.ShoppingCart"`.
fn module_of_service(name: &LitStr) -> Option<Ident> {
    let text = name.value();
    let simple = text.rsplit(['.', ':']).next().unwrap_or_default();
    let mut module = String::new();
    for (index, letter) in simple.char_indices() {
        if letter.is_uppercase() && index > 0 {
            module.push('_');
        }
        module.extend(letter.to_lowercase());
    }
    let mut module: Ident = syn::parse_str(&module).ok()?;
    module.set_span(name.span());
    Some(module)
}

pub(crate) fn persistence_id(arguments: &Arguments, diagnostics: &mut Diagnostics) -> Option<LitStr> {
    let Some(Argument { value, .. }) = arguments.once("persistence_id", diagnostics) else {
        diagnostics.error_at_attribute(
            "`persistence_id` is missing: it names where this entity's data is stored, so it must not change later, \
             such as `persistence_id = \"shopping-cart\"`",
        );
        return None;
    };
    let id = string(value, "a string, such as \"shopping-cart\"", diagnostics)?;
    let text = id.value();
    if text.is_empty() {
        diagnostics
            .error(value, "the `persistence_id` is empty; it names where this entity's data is stored");
    } else if text.contains('|') {
        diagnostics
            .error(value, "a `persistence_id` must not contain `|`, which separates it from the entity id");
    } else {
        return Some(id);
    }
    None
}

pub(crate) fn snapshot_every(arguments: &Arguments, diagnostics: &mut Diagnostics) -> Option<LitInt> {
    let value = &arguments.once("snapshot_every", diagnostics)?.value;
    let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = value else {
        diagnostics.error(value, "expected a number of events, such as `snapshot_every = 100`");
        return None;
    };
    match number.base10_parse::<u32>() {
        Ok(0) => {
            diagnostics.error(value, "`snapshot_every` must be at least 1; leave it out for no snapshots")
        }
        Ok(_) => return Some(number.clone()),
        Err(_) => diagnostics.error(value, format_args!("`snapshot_every` must be at most {}", u32::MAX)),
    }
    None
}

pub(crate) fn passivate_after(arguments: &Arguments, diagnostics: &mut Diagnostics) -> Option<Duration> {
    const EXPECTED: &str = "a duration such as \"30s\", with the unit ms, s, m or h";
    let value = &arguments.once("passivate_after", diagnostics)?.value;
    let text = string(value, EXPECTED, diagnostics)?.value();
    match duration(&text) {
        Some(Duration::ZERO) => {
            diagnostics.error(
                value,
                "`passivate_after` must be at least 1 ms; leave it out for the proxy's default",
            );
        }
        Some(idle) => return Some(idle),
        None => diagnostics.error(value, format_args!("expected {EXPECTED}")),
    }
    None
}

/// A whole number and a unit.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let milliseconds: u64 = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(milliseconds).map(Duration::from_millis)
}

pub(crate) fn sdk(arguments: &Arguments, diagnostics: &mut Diagnostics) -> Option<Path> {
    const EXPECTED: &str = "the path of the SDK as a string, such as \"::my_sdk\"";
    let value = &arguments.once("crate", diagnostics)?.value;
    let path = string(value, EXPECTED, diagnostics)?;
    path.parse().map_err(|_| diagnostics.error(value, format_args!("expected {EXPECTED}"))).ok()
}

pub(crate) fn event_enum<'a>(item: &'a DeriveInput, diagnostics: &mut Diagnostics) -> Option<&'a DataEnum> {
    const ENUM: &str = "`#[derive(Event)]` goes on an enum whose variants hold one protobuf message each";
    let declared = match &item.data {
        Data::Enum(declared) => declared,
        Data::Struct(data) => {
            diagnostics
                .error(data.struct_token, format_args!("{ENUM}; a protobuf message is an event without it"));
            return None;
        }
        Data::Union(data) => {
            diagnostics.error(data.union_token, ENUM);
            return None;
        }
    };
    if !item.generics.params.is_empty() {
        diagnostics.error(&item.generics, "an event enum cannot be generic: its events are stored");
        return None;
    }
    if declared.variants.is_empty() {
        diagnostics
            .error(&item.ident, "an event enum needs at least one variant, such as `Added(ItemAdded)`");
    }
    Some(declared)
}

pub(crate) fn single_message(variant: &syn::Variant, diagnostics: &mut Diagnostics) -> Option<Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Some(fields.unnamed[0].ty.clone()),
        _ => {
            let name = &variant.ident;
            let message =
                format!("each event variant holds exactly one protobuf message, such as `{name}(ItemAdded)`");
            // The attributes of the variant are not at fault.
            diagnostics.error(syn::Variant { attrs: Vec::new(), ..variant.clone() }, message);
            None
        }
    }
}

/// The variant for all that no other variant knows.
pub(crate) fn other(
    declared: &DataEnum,
    variants: Vec<Variant>,
    diagnostics: &mut Diagnostics,
) -> (Option<Variant>, Vec<Variant>) {
    let (mut others, variants): (Vec<_>, Vec<_>) = variants.into_iter().partition(|variant| variant.is_other);
    for Variant { message, name, .. } in &variants {
        // Only by its name, which is how everybody calls it.
        if is_any(message) {
            diagnostics.error(
                message,
                format_args!(
                    "every event is an `Any`: mark `{name}` with `#[event(other)]` if it is for those that no other \
                     variant knows"
                ),
            );
        }
    }
    for Variant { name, aliases, upcasts, .. } in &others {
        if !aliases.is_empty() || !upcasts.is_empty() {
            diagnostics
                .error(name, format_args!("`{name}` is for all other events, whatever their names are"));
        }
    }
    for again in others.iter().skip(1) {
        diagnostics.error(
            &again.name,
            format_args!("`{}` is for all other events already; one is enough", others[0].name),
        );
    }
    if variants.is_empty() && !others.is_empty() && declared.variants.len() == others.len() {
        diagnostics.error(
            &others[0].name,
            "there is nothing else: a subscriber that takes every event alike takes the `Any` itself",
        );
    }
    others.truncate(1);
    (others.pop(), variants.into_iter().filter(|variant| !is_any(&variant.message)).collect())
}

fn is_any(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Any"))
}

/// Drops a variant whose message another one has: a stored event could not tell them apart.
pub(crate) fn distinct_messages(variants: Vec<Variant>, diagnostics: &mut Diagnostics) -> Vec<Variant> {
    let mut distinct: Vec<Variant> = Vec::new();
    for variant in variants {
        let (name, message) = (&variant.name, variant.message.to_token_stream().to_string());
        let same = distinct.iter().find(|other| other.message.to_token_stream().to_string() == message);
        if let Some(Variant { name: other, .. }) = same {
            diagnostics.error(
                &variant.message,
                format_args!(
                    "`{other}` and `{name}` hold the same message, by which stored events are told apart"
                ),
            );
        } else {
            distinct.push(variant);
        }
    }
    distinct
}

pub(crate) fn distinct_aliases(variants: &[Variant], diagnostics: &mut Diagnostics) {
    let mut seen = HashSet::new();
    for alias in variants.iter().flat_map(|variant| &variant.aliases) {
        if !seen.insert(&alias.type_name) {
            diagnostics.error(&alias.literal, format_args!("the alias `{}` is given twice", alias.type_name));
        }
    }
}

pub(crate) fn aliases(arguments: &Arguments, diagnostics: &mut Diagnostics) -> Vec<Alias> {
    const EXPECTED: &str =
        "the full name of a protobuf message as a string, such as \"old.package.ItemAdded\"";
    let alias = |Argument { value, .. }: &Argument| {
        let literal = string(value, EXPECTED, diagnostics)?;
        let text = literal.value();
        let type_name = text.rsplit('/').next().unwrap_or_default().to_owned();
        if type_name.is_empty() || type_name.contains(char::is_whitespace) {
            diagnostics.error(value, format_args!("expected {EXPECTED}"));
            return None;
        }
        Some(Alias { literal, type_name })
    };
    arguments.all("alias").filter_map(alias).collect()
}

pub(crate) fn upcasts(arguments: &Arguments, diagnostics: &mut Diagnostics) -> Vec<Path> {
    let upcast = |Argument { value, .. }: &Argument| match value {
        Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
        value => {
            diagnostics.error(
                value,
                "expected the type of an earlier message, such as `upcast_from = OldItemAdded`",
            );
            None
        }
    };
    arguments.all("upcast_from").filter_map(upcast).collect()
}

fn string(value: &Expr, expected: &str, diagnostics: &mut Diagnostics) -> Option<LitStr> {
    if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value {
        return Some(text.clone());
    }
    diagnostics.error(value, format_args!("expected {expected}"));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, milliseconds) in
            [("100ms", 100), ("30s", 30_000), ("30 s", 30_000), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "30", "30S", "-1s", "1.5s", "30 seconds", "18446744073709551615h", "1s1s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_service_s_module_is_named_in_snake_case() {
        for (service, module) in [
            ("com.example.shoppingcart.ShoppingCart", Some("shopping_cart")),
            ("shopping_cart", Some("shopping_cart")),
            ("api::Counter", Some("counter")),
            ("", None),
            ("a service", None),
        ] {
            let literal = LitStr::new(service, proc_macro2::Span::call_site());
            assert_eq!(module_of_service(&literal).map(|module| module.to_string()).as_deref(), module);
        }
    }
}

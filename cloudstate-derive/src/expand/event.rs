use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Path;
use syn::spanned::Spanned;

use super::placed_at;
use crate::model::{EventEnum, Variant};

/// What `#[derive(Event)]` adds to an enum.
pub(super) fn glue(model: &EventEnum) -> TokenStream {
    let expanded: Vec<_> = model
        .variants
        .iter()
        .enumerate()
        .map(|(index, variant)| Expanded::new(index, variant, model))
        .collect();
    let parts =
        |part: fn(&Expanded) -> &TokenStream| expanded.iter().map(part).cloned().collect::<TokenStream>();
    let (codecs, conversions) = (parts(|variant| &variant.codecs), parts(|variant| &variant.conversion));
    let (encodes, decodes) = (parts(|variant| &variant.encode), parts(|variant| &variant.decode));
    let known = parts(|variant| &variant.known);
    let read = quote! {
        let __name = __stored.type_name();
        #decodes
    };
    let readable = match &model.other {
        Some(other) => of_a_subscriber(other, model, &read),
        None => of_an_entity(model, &encodes, &read, &known),
    };
    quote! {
        const _: () = {
            #codecs
            #conversions
            #readable
        };
    }
}

/// An event that is stored: all of them must be known.
fn of_an_entity(
    model: &EventEnum,
    encodes: &TokenStream,
    read: &TokenStream,
    known: &TokenStream,
) -> TokenStream {
    let EventEnum { name, sdk, .. } = model;
    // Variants with a mistake: it is reported, and this code never runs.
    let incomplete = model.is_incomplete.then(|| quote!(_ => ::core::unreachable!(),));
    quote! {
        #[automatically_derived]
        impl #sdk::macro_support::Event for #name {
            fn encode(&self) -> #sdk::Any {
                match *self {
                    #encodes
                    #incomplete
                }
            }
            fn decode(__stored: &#sdk::Any) -> ::core::result::Result<Self, #sdk::DecodeError> {
                #read
                let __known: [::std::string::String; _] = [#known];
                ::core::result::Result::Err(#sdk::DecodeError::unknown_type(__stored, __known))
            }
        }
        #[automatically_derived]
        impl ::core::convert::TryFrom<#sdk::Any> for #name {
            type Error = #sdk::DecodeError;
            fn try_from(__stored: #sdk::Any) -> ::core::result::Result<Self, #sdk::DecodeError> {
                <Self as #sdk::macro_support::Event>::decode(&__stored)
            }
        }
    }
}

/// An event that comes to a subscriber, which may be any.
fn of_a_subscriber(other: &Variant, model: &EventEnum, read: &TokenStream) -> TokenStream {
    let EventEnum { name, sdk, .. } = model;
    let Variant { name: variant, message, .. } = other;
    // At its type, so that one that is no `Any` is reported there.
    let any = placed_at(message.span(), quote!(__stored));
    quote! {
        #[automatically_derived]
        impl ::core::convert::TryFrom<#sdk::Any> for #name {
            type Error = #sdk::DecodeError;
            fn try_from(__event: #sdk::Any) -> ::core::result::Result<Self, #sdk::DecodeError> {
                let __stored = &__event;
                #read
                let __stored = __event;
                ::core::result::Result::Ok(Self::#variant(#any))
            }
        }
    }
}

/// What one variant adds.
struct Expanded {
    /// Constants through which all goes that needs a message: one that is none is then one error.
    codecs: TokenStream,
    conversion: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
    /// The type names it is stored under.
    known: TokenStream,
}

impl Expanded {
    fn new(index: usize, variant: &Variant, model: &EventEnum) -> Self {
        let (name, sdk) = (&model.name, &model.sdk);
        let Variant { name: variant_name, message, aliases, upcasts, .. } = variant;
        let codec = format_ident!("__EVENT_{index}");
        let aliases: Vec<_> = aliases.iter().map(|alias| &alias.type_name).collect();
        let upcasts: Vec<(Ident, &Path)> = upcasts
            .iter()
            .enumerate()
            .map(|(earlier, message)| (format_ident!("__EVENT_{index}_FROM_{earlier}"), message))
            .collect();
        let upcast_codecs = upcasts.iter().map(|(codec, earlier)| codec_of(codec, &quote!(#earlier), sdk));
        let codecs = std::iter::once(codec_of(&codec, &quote!(#message), sdk)).chain(upcast_codecs).collect();
        let decode_upcasts = upcasts.iter().map(|(codec, earlier)| {
            let upcast = placed_at(earlier.span(), quote!(#sdk::macro_support::upcast::<#earlier, #message>));
            quote! {
                if #codec.is_type_of(__stored) {
                    return #codec.decode(__stored).map(|__earlier| Self::#variant_name(#upcast(__earlier)));
                }
            }
        });
        let upcast_names = upcasts.iter().map(|(codec, _)| quote!(#codec.type_name(),));
        Self {
            codecs,
            conversion: quote! {
                #[automatically_derived]
                impl ::core::convert::From<#message> for #name {
                    fn from(__message: #message) -> Self {
                        Self::#variant_name(__message)
                    }
                }
            },
            encode: quote!(Self::#variant_name(ref __message) => #codec.encode(__message),),
            decode: quote! {
                if #codec.is_type_of(__stored) #(|| __name == #aliases)* {
                    return #codec.decode(__stored).map(Self::#variant_name);
                }
                #(#decode_upcasts)*
            },
            known: quote!(#codec.type_name(), #(::std::string::String::from(#aliases),)* #(#upcast_names)*),
        }
    }
}

fn codec_of(name: &Ident, message: &TokenStream, sdk: &Path) -> TokenStream {
    // At the message, so that one that is none is reported there.
    let codec = placed_at(message.span(), quote!(#sdk::macro_support::Codec::<#message>::of()));
    quote!(const #name: #sdk::macro_support::Codec<#message> = #codec;)
}

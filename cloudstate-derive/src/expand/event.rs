use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Path;
use syn::spanned::Spanned;

use super::placed_at;
use crate::model::{EventEnum, Variant};

/// What `#[derive(Event)]` adds to an enum.
pub(super) fn glue(model: &EventEnum) -> TokenStream {
    let EventEnum { name, sdk, variants, .. } = model;
    let expanded: Vec<_> =
        variants.iter().enumerate().map(|(index, variant)| Expanded::new(index, variant, model)).collect();
    let parts =
        |part: fn(&Expanded) -> &TokenStream| expanded.iter().map(part).cloned().collect::<TokenStream>();
    let (codecs, conversions) = (parts(|variant| &variant.codecs), parts(|variant| &variant.conversion));
    let (encodes, decodes) = (parts(|variant| &variant.encode), parts(|variant| &variant.decode));
    let known = parts(|variant| &variant.known);
    // Variants with a mistake: it is reported, and this code never runs.
    let incomplete = model.is_incomplete.then(|| quote!(_ => ::core::unreachable!(),));
    quote! {
        const _: () = {
            #codecs
            #conversions
            #[automatically_derived]
            impl #sdk::macro_support::Event for #name {
                fn encode(&self) -> #sdk::Any {
                    match *self {
                        #encodes
                        #incomplete
                    }
                }
                fn decode(__stored: &#sdk::Any) -> ::core::result::Result<Self, #sdk::DecodeError> {
                    let __name = __stored.type_name();
                    #decodes
                    let __known: [::std::string::String; _] = [#known];
                    ::core::result::Result::Err(#sdk::DecodeError::unknown_type(__stored, __known))
                }
            }
        };
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
        let Variant { name: variant_name, message, aliases, upcasts } = variant;
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
                if #codec.is_name(__name) {
                    return #codec.decode(__stored).map(|__earlier| Self::#variant_name(#upcast(__earlier)));
                }
            }
        });
        let upcast_names = upcasts.iter().map(|(codec, _)| quote!(#codec.full_name(),));
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
                if #codec.is_name(__name) #(|| __name == #aliases)* {
                    return #codec.decode(__stored).map(Self::#variant_name);
                }
                #(#decode_upcasts)*
            },
            known: quote!(#codec.full_name(), #(::std::string::String::from(#aliases),)* #(#upcast_names)*),
        }
    }
}

fn codec_of(name: &Ident, message: &TokenStream, sdk: &Path) -> TokenStream {
    // At the message, so that one that is none is reported there.
    let codec = placed_at(message.span(), quote!(#sdk::macro_support::Codec::<#message>::of()));
    quote!(const #name: #sdk::macro_support::Codec<#message> = #codec;)
}

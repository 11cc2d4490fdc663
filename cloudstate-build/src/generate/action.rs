//! The trait and the dispatcher for an action: asynchronous handlers, streamed or not.

use proc_macro2::TokenStream;
use quote::quote;

use super::{deprecated, doc_line, handler_trait, identifier, rust_type};
use crate::service_model::{Method, Service};

/// The function that calls the handler of an rpc.
pub(super) const DISPATCHER: &str = "dispatch_action";

pub(super) fn generate(service: &Service) -> TokenStream {
    let handler_trait = action_trait(service);
    let dispatcher = dispatcher(service);
    quote!(#handler_trait #dispatcher)
}

fn action_trait(service: &Service) -> TokenStream {
    let Service { full_name, module, .. } = service;
    let docs = doc_line(&format!("The rpcs of `{full_name}`, for an action."));
    let message = format!("`{{Self}}` does not implement the rpcs of `{full_name}`");
    let note = format!("write `impl {module}::Action for {{Self}}` with one `async fn` per rpc");
    let handlers = service.methods.iter().map(handler);
    quote! {
        #docs
        #[diagnostic::on_unimplemented(
            message = #message,
            label = "this action needs its handlers",
            note = #note
        )]
        pub trait Action: ::cloudstate_sdk::Entity<Service = Service> + ::cloudstate_sdk::action::ActionService {
            #(#handlers)*
        }
    }
}

fn handler(method: &Method) -> TokenStream {
    let docs = handler_trait::handler_docs(method);
    let deprecated = deprecated(method);
    let function = identifier(&method.function);
    let (input, output) = (rust_type(&method.input), rust_type(&method.output));
    let (argument, command) = if method.is_client_streaming {
        (quote!(commands), quote!(::cloudstate_sdk::action::Requests<#input>))
    } else {
        (quote!(command), input)
    };
    let reply = if method.is_server_streaming { quote!(StreamReply) } else { quote!(Reply) };
    quote! {
        #docs
        #deprecated
        fn #function(
            &self,
            #argument: #command,
            context: &::cloudstate_sdk::Context,
        ) -> impl ::core::future::Future<Output = ::cloudstate_sdk::#reply<Self, #output, Self::Error>>
        + ::core::marker::Send;
    }
}

fn dispatcher(service: &Service) -> TokenStream {
    let dispatcher = identifier(DISPATCHER);
    let arms = service.methods.iter().map(arm);
    quote! {
        /// Calls the handler of the rpc that is called.
        #[doc(hidden)]
        pub fn #dispatcher<A: Action>(
            action: ::std::sync::Arc<A>,
            call: ::cloudstate_sdk::macro_support::Call,
        ) -> ::cloudstate_sdk::macro_support::Responses {
            match call.name() {
                #(#arms)*
                _ => call.unknown(<Service as ::cloudstate_sdk::Service>::NAME),
            }
        }
    }
}

fn arm(method: &Method) -> TokenStream {
    let name = &method.name;
    let function = identifier(&method.function);
    let shape = identifier(match (method.is_client_streaming, method.is_server_streaming) {
        (false, false) => "unary",
        (true, false) => "streamed_in",
        (false, true) => "streamed_out",
        (true, true) => "streamed",
    });
    let subscribed = method.is_subscribed.then(|| quote!(.subscribed()));
    // Named by its trait: an rpc may have the name of a function of another trait of the action.
    quote! {
        #name => call #subscribed.#shape(|command, context| async move {
            Action::#function(&*action, command, &context).await
        }),
    }
}

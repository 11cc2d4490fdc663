//! The messages of the model services, generated from their `.proto` texts by `tests/regenerate.rs`.

macro_rules! packages {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {$(
        $(#[$doc])*
        #[allow(missing_docs, unreachable_pub, dead_code, nonstandard_style, clippy::all)]
        pub(crate) mod $name {
            include!(concat!("generated/", $file, ".rs"));
        }
    )*};
}

packages! {
    /// Package `cloudstate.tck.model`.
    event_sourced = "cloudstate.tck.model";
    /// Package `cloudstate.tck.model.valueentity`.
    value_entity = "cloudstate.tck.model.valueentity";
    /// Package `cloudstate.tck.model.crdt`.
    crdt = "cloudstate.tck.model.crdt";
    /// Package `cloudstate.tck.model.action`.
    action = "cloudstate.tck.model.action";
    /// Package `cloudstate.tck.model.eventlogeventing`.
    eventing = "cloudstate.tck.model.eventlogeventing";
}

/// A message as payload, with the type URL that proxies and user functions use for messages.
pub(crate) fn pack<M: prost::Message + prost::Name>(message: &M) -> cloudstate_proto::Any {
    cloudstate_proto::Any { type_url: M::type_url(), value: message.encode_to_vec().into() }
}

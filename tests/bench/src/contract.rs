//! What was generated from `proto/`.

cloudstate_sdk::include_protos!();

pub(crate) use self::bench::*;

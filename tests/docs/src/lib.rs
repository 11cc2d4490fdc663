//! The Rust code in the documents, compiled and run as doctests. Nothing else is here.
//!
//! A block sees `cloudstate_sdk`, `cloudstate_build`, `tokio` and, through `cloudstate_sdk::include_protos!()`, the
//! contract of `examples/shopping-cart`. One that cannot run here, such as a `build.rs`, is marked `no_run`.

macro_rules! documents {
    ($($name:ident = $path:literal;)+) => {$(
        #[cfg(doctest)]
        #[doc = include_str!($path)]
        pub mod $name {}
    )+};
}

documents! {
    readme = "../../../README.md";
}

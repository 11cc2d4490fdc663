//! Turns the contract into Rust.

fn main() -> std::io::Result<()> {
    cloudstate_build::compile_protos(
        &["proto/shoppingcart/shoppingcart.proto", "proto/shoppingcart/persistence/domain.proto"],
        &["proto"],
    )
}

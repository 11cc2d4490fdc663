//! Turns the contract into Rust.

fn main() -> std::io::Result<()> {
    cloudstate_build::compile_protos(
        &[
            "proto/valueentity/shoppingcart/shoppingcart.proto",
            "proto/valueentity/shoppingcart/persistence/domain.proto",
        ],
        &["proto"],
    )
}

//! Turns the contract, and the events of the shopping cart that it is about, into Rust.

fn main() -> std::io::Result<()> {
    cloudstate_build::compile_protos(
        &["proto/cartwatch/cartwatch.proto", "../shopping-cart/proto/shoppingcart/persistence/domain.proto"],
        &["proto", "../shopping-cart/proto"],
    )
}

//! Turns the contract into Rust.

fn main() -> std::io::Result<()> {
    cloudstate_build::compile_protos(
        &["proto/orders/orders.proto", "proto/orders/persistence/domain.proto"],
        &["proto"],
    )
}

//! Turns the contracts into Rust.

fn main() -> std::io::Result<()> {
    cloudstate_build::compile_protos(&["proto/kinds.proto", "proto/things.proto"], &["proto"])
}

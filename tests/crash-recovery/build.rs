//! Turns the contract into Rust.

fn main() -> std::io::Result<()> {
    cloudstate_build::compile_protos(&["proto/crash.proto"], &["proto"])
}

//! `cargo bench-sdk`; see the module `sdk` of the library.

fn main() -> Result<(), bench::Error> {
    bench::sdk::run()
}

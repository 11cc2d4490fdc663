//! `cargo bench-sdk`; see the library.

fn main() -> Result<(), bench::Error> {
    bench::run()
}

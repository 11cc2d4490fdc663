//! The proxy under test.

fn main() -> std::process::ExitCode {
    cloudstate_cli::main()
}

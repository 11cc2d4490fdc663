//! The program `cloudstate-tck`.

fn main() -> std::process::ExitCode {
    cloudstate_conformance::main()
}

//! The program `cloudstate`.

fn main() -> std::process::ExitCode {
    cloudstate_cli::main()
}

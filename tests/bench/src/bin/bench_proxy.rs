//! `cargo bench-proxy`; see the module `proxy` of the library. Also, by its first argument, the programs that it
//! measures: the proxy is the one that is shipped, with its allocator and its settings.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("proxy") {
        return cloudstate_cli::main();
    }
    match bench::proxy::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

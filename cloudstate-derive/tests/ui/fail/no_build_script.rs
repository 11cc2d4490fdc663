// The package has no build.rs.
cloudstate_sdk::include_protos!();

fn main() {}

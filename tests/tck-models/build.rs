//! Turns the contracts of the models into Rust.

fn main() -> std::io::Result<()> {
    let files = ["eventsourced", "valueentity", "crdt", "action", "eventlogeventing"];
    let protos = files.map(|file| format!("../../proto/tck/cloudstate/tck/model/{file}.proto"));
    cloudstate_build::compile_protos(&protos, &["../../proto/tck"])
}

//! The imports of the files: all must be there, and none may lead back.

use std::collections::HashMap;

use cloudstate_proto::descriptor::FileDescriptorProto;

pub(super) fn problems(files: &[FileDescriptorProto]) -> Vec<String> {
    let by_name: HashMap<&str, &FileDescriptorProto> =
        files.iter().map(|file| (file.name.as_str(), file)).collect();
    let missing = files.iter().flat_map(|file| {
        let imports = file.dependency.iter().filter(|import| !by_name.contains_key(import.as_str()));
        imports.map(|import| format!("{}: its import `{import}` is not in the descriptor set", file.name))
    });
    let mut problems: Vec<String> = missing.collect();
    problems.extend(cycle(by_name));
    problems
}

/// Takes away file after file that imports nothing that is left; what stays is in a cycle, or leads to one.
fn cycle(mut left: HashMap<&str, &FileDescriptorProto>) -> Option<String> {
    loop {
        let (stuck, free): (HashMap<_, _>, HashMap<_, _>) =
            left.iter().partition(|(_, file)| next(file, &left).is_some());
        left = stuck;
        if free.is_empty() {
            break;
        }
    }
    // The same every time.
    let mut file = *left.values().min_by_key(|file| &file.name)?;
    let mut chain: Vec<&str> = Vec::new();
    while !chain.contains(&file.name.as_str()) {
        chain.push(&file.name);
        file = next(file, &left)?;
    }
    let chain: Vec<&str> = chain.into_iter().skip_while(|name| *name != file.name).collect();
    Some(format!("{}: its imports lead back to it: {} -> {}", file.name, chain.join(" -> "), file.name))
}

fn next<'a>(
    file: &FileDescriptorProto,
    left: &HashMap<&str, &'a FileDescriptorProto>,
) -> Option<&'a FileDescriptorProto> {
    file.dependency.iter().find_map(|import| left.get(import.as_str()).copied())
}

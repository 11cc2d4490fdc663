//! Two names of a contract that would become one name in Rust, found before rustc finds them in generated code.

use std::collections::{BTreeMap, btree_map::Entry};

use prost_build::Module;
use prost_types::{DescriptorProto, FileDescriptorProto, ServiceDescriptorProto};

use crate::{error::Error, generate, places::Places};

/// Checks the modules that packages, services and messages with something nested become, and the functions that
/// rpcs become. `externs` are the protobuf paths for which no code is generated, `places` finds them.
pub(crate) fn check(files: &[FileDescriptorProto], externs: &[String], places: &Places) -> Result<(), Error> {
    let mut owners: BTreeMap<Name, String> = BTreeMap::new();
    for file in files {
        for Claim { name, owner, at } in claims(file, externs) {
            match owners.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(owner);
                }
                Entry::Occupied(taken) if *taken.get() == owner => {}
                Entry::Occupied(taken) => {
                    let Name { item, path } = taken.key().clone();
                    let (first, second, rust) = (taken.get().clone(), owner, path.join("::"));
                    return Err(Error::NameClash { place: places.of(file, &at), first, second, item, rust });
                }
            }
        }
    }
    Ok(())
}

/// A name in Rust: of a module, or of a function.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    item: &'static str,
    path: Vec<String>,
}

/// A name in Rust that an element of a contract is about to take.
struct Claim {
    name: Name,
    /// Who takes it, in words. A package may be in several files.
    owner: String,
    /// Where in the file, as `SourceCodeInfo.Location.path` has it.
    at: Vec<i32>,
}

impl Claim {
    fn module(path: &[String], owner: String, at: Vec<i32>) -> Self {
        Self { name: Name { item: "module", path: path.to_vec() }, owner, at }
    }

    fn function(path: Vec<String>, owner: String, at: Vec<i32>) -> Self {
        Self { name: Name { item: "function", path }, owner, at }
    }
}

fn claims(file: &FileDescriptorProto, externs: &[String]) -> Vec<Claim> {
    let package: Vec<_> =
        Module::from_protobuf_package_name(file.package()).parts().map(str::to_owned).collect();
    let below = |name: &str| [package.as_slice(), &[snake_case(name)]].concat();
    let full_name = |name: &str| match file.package() {
        "" => name.to_owned(),
        package => format!("{package}.{name}"),
    };

    let packages = (1..=package.len()).map(|length| {
        let path = &package[..length];
        Claim::module(path, format!("package `{}`", path.join(".")), vec![2])
    });
    let services = (0..).zip(&file.service).flat_map(|(index, service)| {
        let path = below(service.name());
        let owner = format!("service `{}`", full_name(service.name()));
        let mut claims = functions(&path, index, service);
        claims.push(Claim::module(&path, owner, vec![6, index]));
        claims
    });
    let messages = (0..).zip(&file.message_type).filter_map(|(index, message)| {
        let name = full_name(message.name());
        let owner = format!("what is nested in message `{name}`");
        let has_code = has_module(message) && !is_extern(&name, externs);
        has_code.then(|| Claim::module(&below(message.name()), owner, vec![4, index]))
    });
    packages.chain(services).chain(messages).collect()
}

fn functions(module: &[String], index: i32, service: &ServiceDescriptorProto) -> Vec<Claim> {
    let path = |function: String| [module, &[function]].concat();
    let reserved = generate::RESERVED_FUNCTIONS.iter().map(|name| {
        Claim::function(path((*name).to_owned()), "the generated function".to_owned(), vec![6, index])
    });
    let rpcs = (0..).zip(&service.method).map(|(method_index, method)| {
        let owner = format!("rpc `{}`", method.name());
        Claim::function(path(snake_case(method.name())), owner, vec![6, index, 2, method_index])
    });
    reserved.chain(rpcs).collect()
}

/// Whether prost generates a module for what is declared inside this message.
fn has_module(message: &DescriptorProto) -> bool {
    let is_map_entry =
        |nested: &DescriptorProto| nested.options.as_ref().is_some_and(|options| options.map_entry());
    let has_oneof = message.field.iter().any(|field| field.oneof_index.is_some() && !field.proto3_optional());
    has_oneof || !message.enum_type.is_empty() || !message.nested_type.iter().all(is_map_entry)
}

fn is_extern(full_name: &str, externs: &[String]) -> bool {
    externs
        .iter()
        .filter_map(|path| path.strip_prefix('.'))
        .any(|path| full_name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// The Rust name that prost gives a module, function or field: a raw identifier where it must be.
pub(crate) fn snake_case(name: &str) -> String {
    Module::from_protobuf_package_name(name).to_string()
}

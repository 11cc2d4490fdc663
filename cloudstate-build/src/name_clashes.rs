//! Two names of a contract that would become one name in Rust, found before rustc finds them in generated code.

use std::collections::BTreeMap;

use prost_build::Module;
use prost_types::{DescriptorProto, FileDescriptorProto, ServiceDescriptorProto};

use crate::{error::Error, generate};

/// Checks the modules that files, services and messages with something nested become, and the functions that
/// rpcs become. `externs` are the protobuf paths for which no code is generated.
pub(crate) fn check(files: &[FileDescriptorProto], externs: &[String]) -> Result<(), Error> {
    let mut modules = Modules::default();
    for file in files {
        modules.claim_package(file)?;
        for (index, service) in file.service.iter().enumerate() {
            modules.claim(
                file,
                &[6, index],
                service.name(),
                format!("service `{}`", full_name(file, service.name())),
            )?;
            check_functions(file, index, service)?;
        }
        for (index, message) in file.message_type.iter().enumerate() {
            let name = full_name(file, message.name());
            if has_module(message) && !is_extern(&name, externs) {
                let what = format!("what is nested in message `{name}`");
                modules.claim(file, &[4, index], message.name(), what)?;
            }
        }
    }
    Ok(())
}

/// Who wants which module, by its path.
#[derive(Default)]
struct Modules(BTreeMap<Vec<String>, String>);

impl Modules {
    fn claim_package(&mut self, file: &FileDescriptorProto) -> Result<(), Error> {
        let package = path_of_package(file);
        for length in 1..=package.len() {
            let path = package[..length].to_vec();
            let claim = format!("package `{}`", path.join("."));
            self.insert(file, &[2], path, claim)?;
        }
        Ok(())
    }

    fn claim(
        &mut self,
        file: &FileDescriptorProto,
        at: &[usize],
        name: &str,
        claim: String,
    ) -> Result<(), Error> {
        let mut path = path_of_package(file);
        path.push(snake_case(name));
        self.insert(file, at, path, claim)
    }

    fn insert(
        &mut self,
        file: &FileDescriptorProto,
        at: &[usize],
        path: Vec<String>,
        claim: String,
    ) -> Result<(), Error> {
        let rust = path.join("::");
        match self.0.insert(path, claim.clone()) {
            Some(earlier) if earlier != claim => {
                let place = place(file, at);
                Err(Error::NameClash { place, first: earlier, second: claim, what: "module", rust })
            }
            _ => Ok(()),
        }
    }
}

fn check_functions(
    file: &FileDescriptorProto,
    service_index: usize,
    service: &ServiceDescriptorProto,
) -> Result<(), Error> {
    let reserved = generate::RESERVED_FUNCTIONS.iter();
    let mut functions: BTreeMap<String, String> =
        reserved.map(|name| ((*name).to_owned(), format!("the generated `{name}`"))).collect();
    for (index, method) in service.method.iter().enumerate() {
        let rust = snake_case(method.name());
        let claim = format!("rpc `{}`", method.name());
        if let Some(first) = functions.insert(rust.clone(), claim.clone()) {
            let place = place(file, &[6, service_index, 2, index]);
            return Err(Error::NameClash { place, first, second: claim, what: "function", rust });
        }
    }
    Ok(())
}

/// Whether prost generates a module for what is declared inside this message.
fn has_module(message: &DescriptorProto) -> bool {
    let has_messages = message
        .nested_type
        .iter()
        .any(|nested| !nested.options.as_ref().is_some_and(|options| options.map_entry()));
    let has_oneof = message.field.iter().any(|field| field.oneof_index.is_some() && !field.proto3_optional());
    has_messages || has_oneof || !message.enum_type.is_empty()
}

fn is_extern(full_name: &str, externs: &[String]) -> bool {
    externs
        .iter()
        .filter_map(|path| path.strip_prefix('.'))
        .any(|path| full_name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn path_of_package(file: &FileDescriptorProto) -> Vec<String> {
    Module::from_protobuf_package_name(file.package()).parts().map(str::to_owned).collect()
}

/// The Rust name that prost gives a module, function or field, a raw identifier where it must be.
pub(crate) fn snake_case(name: &str) -> String {
    Module::from_protobuf_package_name(name).to_string()
}

fn full_name(file: &FileDescriptorProto, name: &str) -> String {
    if file.package().is_empty() { name.to_owned() } else { format!("{}.{name}", file.package()) }
}

/// `file:line:column` of the element at this path of the descriptor (see `SourceCodeInfo.Location.path`).
fn place(file: &FileDescriptorProto, at: &[usize]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let start = locations
        .filter(|location| location.path.iter().copied().eq(at.iter().map(|index| *index as i32)))
        .find_map(|location| location.span.first().zip(location.span.get(1)));
    match start {
        Some((line, column)) => format!("{}:{}:{}", file.name(), line + 1, column + 1),
        None => file.name().to_owned(),
    }
}

//! From `.proto` files to descriptors.

use std::{
    env,
    path::{Path, PathBuf},
};

use prost_types::FileDescriptorSet;
use protox::{
    Compiler,
    file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver},
};

use crate::{bundled_protos::BundledProtos, error::Error, places::Places};

mod diagnostic;

/// A contract without errors.
pub(crate) struct Compiled {
    /// The files and their imports, with comments, imported files first.
    pub(crate) files: FileDescriptorSet,
    /// The same as bytes, without comments but with the custom options, which `prost_types` does not know.
    pub(crate) descriptors: Vec<u8>,
    /// Where each file was read. Bundled files are not among them.
    pub(crate) places: Places,
}

pub(crate) fn compile(protos: &[&Path], includes: &[&Path]) -> Result<Compiled, Error> {
    check_includes(includes)?;
    check_files(protos, includes)?;

    let mut compiler = Compiler::with_file_resolver(resolver(includes));
    compiler.include_imports(true);
    for proto in protos {
        compiler
            .open_file(proto)
            .map_err(|error| Error::Contract(diagnostic::render(&error, proto, includes)))?;
    }

    let descriptors = compiler.include_source_info(false).encode_file_descriptor_set();
    let files = compiler.include_source_info(true).file_descriptor_set();
    let paths = compiler.files().filter_map(|file| Some((file.name().to_owned(), file.path()?.to_owned())));
    Ok(Compiled { files, descriptors, places: Places(paths.collect()) })
}

/// The user's folders come first: who keeps a newer copy of a bundled file means that copy.
fn resolver(includes: &[&Path]) -> ChainFileResolver {
    let mut resolver = ChainFileResolver::new();
    for include in includes {
        resolver.add(IncludeFileResolver::new((*include).to_owned()));
    }
    resolver.add(BundledProtos);
    resolver.add(GoogleFileResolver::new());
    resolver
}

fn check_includes(includes: &[&Path]) -> Result<(), Error> {
    for include in includes {
        let problem = match include.metadata() {
            Ok(found) if found.is_dir() => continue,
            Ok(_) => "is no folder",
            Err(_) => "does not exist",
        };
        return Err(Error::BadInclude {
            folder: (*include).to_owned(),
            absolute: absolute(include),
            problem,
        });
    }
    Ok(())
}

/// A path to compile is one from here, or, as in an import, one from an include folder.
fn check_files(protos: &[&Path], includes: &[&Path]) -> Result<(), Error> {
    if protos.is_empty() {
        return Err(Error::NothingToCompile);
    }
    for proto in protos {
        let mut below_includes =
            includes.iter().filter(|_| proto.is_relative()).map(|include| include.join(proto));
        let is_included = includes.iter().any(|include| proto.starts_with(include));
        if is_included && proto.is_file() || below_includes.clone().any(|path| path.is_file()) {
            continue;
        }
        let file = (*proto).to_owned();
        if proto.is_file() {
            let includes = includes.iter().map(|include| (*include).to_owned()).collect();
            return Err(Error::NotIncluded { file, includes });
        }
        let looked_for = std::iter::once(absolute(proto)).chain(below_includes.by_ref()).collect();
        return Err(Error::NoSuchFile { file, looked_for });
    }
    Ok(())
}

fn absolute(path: &Path) -> PathBuf {
    env::current_dir().map_or_else(|_| path.to_owned(), |here| here.join(path))
}

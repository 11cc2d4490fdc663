//! The types that the kit can read, write and show: the protocol, the models, and contracts of its own.

use std::{collections::HashMap, sync::LazyLock};

use cloudstate_proto::sources;
use prost_reflect::DescriptorPool;
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};

macro_rules! texts {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../proto/", $name)))),+] };
}

/// What the kit serves beside the models.
pub(crate) const OWN: &[(&str, &str)] =
    texts!("cloudstate/conformance/http.proto", "cloudstate/conformance/keys.proto");

/// The same, of what the reference proxy refuses.
pub(crate) const CHOICES: &[(&str, &str)] = texts!("cloudstate/conformance/choices.proto");

/// What proxies serve themselves.
const OF_PROXIES: &[(&str, &str)] = texts!(
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
    "grpc/reflection/v1alpha/reflection.proto",
);

/// Built when it is needed for the first time: a run of the service half without failures needs none.
static POOL: LazyLock<Result<DescriptorPool, protox::Error>> = LazyLock::new(|| {
    let texts = [sources::PROTOCOL, sources::FRONTEND, sources::TCK, OWN, CHOICES, OF_PROXIES].concat();
    Ok(compile(texts.iter().map(|(name, _)| *name))?.descriptor_pool())
});

/// All types.
pub(crate) fn pool() -> Option<&'static DescriptorPool> {
    POOL.as_ref().ok()
}

/// The models, what is given, and all that they import, as discovery wants it.
///
/// # Errors
///
/// When a text cannot be compiled; a test sees to it that this does not happen.
pub(crate) fn descriptor_set(texts: &[&[(&'static str, &'static str)]]) -> Result<Vec<u8>, protox::Error> {
    let texts = [&[sources::TCK], texts].concat().concat();
    Ok(compile(texts.iter().map(|(name, _)| *name))?.encode_file_descriptor_set())
}

fn compile(names: impl Iterator<Item = &'static str>) -> Result<Compiler, protox::Error> {
    let all = [sources::PROTOCOL, sources::FRONTEND, sources::TCK, OWN, CHOICES, OF_PROXIES].concat();
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(all.into_iter().collect()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_files(names)?;
    Ok(compiler)
}

/// `.proto` files in memory, by import path.
struct Texts(HashMap<&'static str, &'static str>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

//! A descriptor set as a user function sends it: refused, or served with routes that work, and shown
//! as an OpenAPI document and by reflection.
#![no_main]

use std::sync::Arc;

use cloudstate_fuzz::spec;
use cloudstate_proto::descriptor::FileDescriptorSet;
use cloudstate_proxy::{
    frontend::http_json::HttpJson,
    schema::{FileIndex, Schema},
    service_catalog::ServiceCatalog,
};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|input: &[u8]| {
    let schema = Schema::new(input);
    let services = FileDescriptorSet::decode(input).map(|set| services(&set)).unwrap_or_default();
    let spec = spec(input.to_vec().into(), services);
    let Ok(catalog) = ServiceCatalog::new(spec, true) else { return };
    assert!(schema.is_ok(), "served without schema");
    for method in catalog.methods() {
        assert!(catalog.by_path(&method.path()).is_some());
        assert!(catalog.schema().message_type(&method.input_type).is_some(), "{}", method.input_type);
        let _ = method.entity_key.entity_id(&input.to_vec().into());
    }
    let files = FileIndex::new([input]);
    for service in catalog.services() {
        assert!(files.file_with_symbol(&service.name).is_some(), "{}", service.name);
    }
    let catalog = Arc::new(catalog);
    if let Ok(http) = HttpJson::new(&catalog) {
        let openapi = http.openapi(&catalog, "fuzz", "1");
        serde_json::from_slice::<serde::de::IgnoredAny>(&openapi).expect("the document is JSON");
    }
});

/// The full names of all services.
fn services(set: &FileDescriptorSet) -> Vec<String> {
    let name = |package: &str, service: &str| match package {
        "" => service.to_owned(),
        package => format!("{package}.{service}"),
    };
    let files = set.file.iter();
    files.flat_map(|file| file.service.iter().map(|service| name(&file.package, &service.name))).collect()
}

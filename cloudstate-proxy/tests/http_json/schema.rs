//! Descriptor sets and messages from outside: read, or refused with a reason.

use std::sync::LazyLock;

use bytes::Bytes;
use cloudstate_proto::sources;
use cloudstate_proxy::schema::{MessageType, Schema, SchemaError};
use proptest::prelude::*;
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MessageOptions,
    MethodDescriptorProto, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

use crate::contracts::{SHAPES_SET, compile, compile_model};

fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        dependency: imports.iter().map(|import| import.to_string()).collect(),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

fn message(name: &str, fields: &[(&str, &str)]) -> DescriptorProto {
    let field = |(number, (name, type_name)): (i32, &(&str, &str))| FieldDescriptorProto {
        name: Some(name.to_string()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(if type_name.is_empty() { Type::String } else { Type::Message }.into()),
        type_name: Some(type_name.to_string()).filter(|name| !name.is_empty()),
        ..FieldDescriptorProto::default()
    };
    DescriptorProto {
        name: Some(name.to_owned()),
        field: (1..).zip(fields).map(field).collect(),
        ..DescriptorProto::default()
    }
}

fn load(files: Vec<FileDescriptorProto>) -> Result<Schema, String> {
    Schema::new(&FileDescriptorSet { file: files }.encode_to_vec()).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(files: Vec<FileDescriptorProto>, expected: &str) {
    assert_eq!(load(files).map(|_| ()), Err(expected.to_owned()));
}

#[test]
fn bytes_that_are_no_descriptor_set_are_refused() {
    let error = Schema::new(b"syntax = \"proto3\";").unwrap_err();
    assert!(matches!(error, SchemaError::NotADescriptorSet(_)), "{error}");
    assert!(error.to_string().starts_with("the descriptor set is no google.protobuf.FileDescriptorSet: "));
    assert!(Schema::new(&SHAPES_SET[..SHAPES_SET.len() - 1]).is_err());
    assert!(Schema::new(b"").unwrap().message_type("test.Shape").is_none());
}

#[test]
fn editions_are_refused_by_name() {
    let mut edition = file("new.proto", &[]);
    edition.syntax = Some("editions".to_owned());
    refused(
        vec![file("old.proto", &[]), edition],
        "new.proto is written with `editions`, which this proxy does not read: use proto3 (or proto2)",
    );
}

#[test]
fn missing_and_circular_imports_are_refused_by_name() {
    refused(
        vec![file("a.proto", &["google/type/money.proto"])],
        "a.proto imports google/type/money.proto, which is missing from the descriptor set: compile it with all its \
         imports included",
    );
    refused(
        vec![file("a.proto", &["b.proto"]), file("b.proto", &["c.proto"]), file("c.proto", &["b.proto"])],
        "the files import each other in a circle: b.proto -> c.proto -> b.proto",
    );
    refused(
        vec![file("a.proto", &["a.proto"])],
        "the files import each other in a circle: a.proto -> a.proto",
    );
}

#[test]
fn full_names_that_would_fill_the_memory_are_refused() {
    let long = "Long".repeat(250);
    let mut described = file("long.proto", &[]);
    described.message_type = vec![message(&long, &[("short", "")])];
    assert!(load(vec![described.clone()]).is_ok());
    described.package = Some("some.where.deep.inside".to_owned());
    refused(
        vec![described],
        "the full name of `short` in long.proto has more than 1024 bytes: shorten it, or the names of its package and \
         of what it is nested in",
    );

    // Every name is short enough and the set is small, but the full names take more than 64 MiB.
    let fields: Vec<String> = (0..70_000).map(|number| format!("f{number}")).collect();
    let fields: Vec<_> = fields.iter().map(|field| (field.as_str(), "")).collect();
    let mut described = file("many.proto", &[]);
    described.message_type = vec![message(&long, &fields)];
    refused(
        vec![described],
        "the full names of all that is described take more than 67108864 bytes: split the contract",
    );
}

/// Two bytes each on the wire, and hundreds once they are decoded.
#[test]
fn empty_parts_that_would_fill_the_memory_are_refused() {
    const MOST: usize = 250_000;
    // The keys of fields: a number, and that a length follows.
    const FILE: u8 = 1 << 3 | 2;
    const MESSAGE: u8 = 4 << 3 | 2;
    const FIELD: u8 = 2 << 3 | 2;
    const SOURCE_CODE_INFO: u8 = 9 << 3 | 2;
    const LOCATION: u8 = 1 << 3 | 2;
    let nested = |within: &[u8], part: u8, count: usize| {
        let parts = [part, 0].repeat(count - within.len());
        within.iter().rev().fold(parts, |content, key| {
            let mut outer = vec![*key];
            prost::encoding::encode_varint(content.len() as u64, &mut outer);
            [outer, content].concat()
        })
    };
    let cases: [(&[u8], u8); 4] =
        [(&[], FILE), (&[FILE], MESSAGE), (&[FILE, MESSAGE], FIELD), (&[FILE, SOURCE_CODE_INFO], LOCATION)];
    for (within, part) in cases {
        let error = Schema::new(&nested(within, part, MOST + 1)).unwrap_err();
        assert_eq!(error, SchemaError::TooManyParts, "{within:?}");
        assert!(error.to_string().starts_with("the descriptor set has more than 250000 parts"), "{error}");
    }
    assert!(Schema::new(&nested(&[FILE, SOURCE_CODE_INFO], LOCATION, MOST)).is_ok());
}

/// As many rpcs as are served, each with messages of its own.
#[test]
fn large_contracts_are_read() {
    const RPCS: usize = 10_000;
    let fields = [("a", ""), ("b", ""), ("c", "")];
    let mut large = file("large.proto", &[]);
    for rpc in 0..RPCS {
        let types = [format!("Request{rpc}"), format!("Reply{rpc}")];
        large.message_type.extend(types.iter().map(|name| message(name, &fields)));
        large.service.push(ServiceDescriptorProto {
            name: Some(format!("Service{rpc}")),
            method: vec![MethodDescriptorProto {
                name: Some("Do".to_owned()),
                input_type: Some(format!(".Request{rpc}")),
                output_type: Some(format!(".Reply{rpc}")),
                ..MethodDescriptorProto::default()
            }],
            ..ServiceDescriptorProto::default()
        });
    }
    let schema = load(vec![large]).unwrap();
    assert_eq!(format!("{schema:?}"), format!("Schema(1 files, {} messages)", 2 * RPCS));
}

#[test]
fn inconsistent_files_are_refused() {
    let mut unknown_type = file("a.proto", &[]);
    unknown_type.message_type.push(message("A", &[("b", ".B")]));
    let error = load(vec![unknown_type]).unwrap_err();
    assert_eq!(error, "the descriptor set is inconsistent: name '.B' is not defined");

    let mut no_entry = file("a.proto", &[]);
    let mut entry = message("Entry", &[("key", "")]);
    entry.options = Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() });
    no_entry.message_type.push(entry);
    refused(
        vec![no_entry],
        "the descriptor set is inconsistent: Entry is marked as a map entry, but is none",
    );
}

#[test]
fn files_may_come_in_any_order_and_repeatedly() {
    let mut user = file("user.proto", &["base.proto"]);
    user.message_type.push(message("User", &[("base", ".Base")]));
    let mut old_base = file("base.proto", &[]);
    old_base.message_type.push(message("Base", &[("old", "")]));
    let mut base = file("base.proto", &[]);
    base.message_type.push(message("Base", &[("new", "")]));

    let schema = load(vec![old_base, user.clone(), user, base]).unwrap();
    let user = schema.message_type("User").unwrap();
    assert_eq!(user.field_path("base.new").unwrap().to_string(), "base.new");
    assert_eq!(user.field_path("base.old").unwrap_err().to_string(), "Base has no field `old`");
    assert_eq!(format!("{schema:?}"), "Schema(2 files, 2 messages)");
}

#[test]
fn public_imports_reach_through_any_number_of_files() {
    let public = |name: &str, import: &str| FileDescriptorProto {
        public_dependency: vec![0],
        ..file(name, &[import])
    };
    let mut base = file("base.proto", &[]);
    base.message_type.push(message("Base", &[("text", "")]));
    let mut user = file("user.proto", &["c.proto"]);
    user.message_type.push(message("User", &[("base", ".Base")]));
    let files = vec![
        user,
        public("c.proto", "b.proto"),
        public("b.proto", "a.proto"),
        public("a.proto", "base.proto"),
        base,
    ];
    let schema = load(files).unwrap();
    assert!(schema.message_type("User").unwrap().field_path("base.text").is_ok());
}

/// Every layer publicly imports both files of the next: followed naively, that is 2^40 steps.
#[test]
fn a_lattice_of_public_imports_takes_no_time() {
    let mut files = vec![file("0a.proto", &[]), file("0b.proto", &[])];
    for layer in 1..40 {
        let imports = [format!("{}a.proto", layer - 1), format!("{}b.proto", layer - 1)];
        let imports = [imports[0].as_str(), imports[1].as_str()];
        for side in ["a", "b"] {
            let file = file(&format!("{layer}{side}.proto"), &imports);
            files.push(FileDescriptorProto { public_dependency: vec![0, 1], ..file });
        }
    }
    assert!(load(files).is_ok());
}

#[test]
fn all_bundled_sources_are_read() {
    for (name, source) in sources::TCK.iter().chain(sources::FRONTEND) {
        let schema = Schema::new(&compile(name, source)).unwrap();
        assert!(schema.message_type("google.protobuf.FieldOptions").is_some() || !source.contains("extend"));
    }
}

#[test]
fn fields_are_found_by_both_names_and_through_messages() {
    let schema = Schema::new(&SHAPES_SET).unwrap();
    let shape = schema.message_type("test.Shape").unwrap();
    assert_eq!(shape.field("fill_color"), shape.field("fillColor"));
    assert_eq!(shape.field("fillColor").unwrap().name(), "fill_color");
    assert_eq!(shape.field("FillColor"), None);
    let path = shape.field_path("center.next.label").unwrap();
    assert_eq!((path.first().name(), path.leaf().name()), ("center", "label"));
    let names: Vec<String> = shape.fields().take(3).map(|field| field.name().to_owned()).collect();
    assert_eq!(names, ["id", "flag", "i32"]);
}

#[test]
fn unknown_fields_and_extensions_survive_decoding() {
    let source = r#"
        syntax = "proto2";
        package old;
        message Thing { optional string name = 1 [default = "x"]; extensions 100 to 200; }
        extend Thing { optional int64 weight = 100; }
    "#;
    let schema = Schema::new(&compile("old.proto", source)).unwrap();
    let thing = schema.message_type("old.Thing").unwrap();
    let bytes = Bytes::from_static(b"\xa0\x06\x07\x9a\x05\x01x");
    let decoded = thing.decode(bytes.clone()).unwrap();
    assert_eq!(decoded.to_json().unwrap(), br#"{"[old.weight]":"7"}"#);
    assert_eq!(thing.from_json(br#"{"[old.weight]":7}"#).unwrap().encode(), bytes[..3]);
    let mut encoded = decoded.encode().to_vec();
    encoded.sort_unstable();
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    assert_eq!(encoded, bytes);
}

/// A JSON object with some fields of `test.Shape`.
fn shape_json() -> impl Strategy<Value = String> {
    let text = || any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
    // The library takes -0.0 for the default, as prost does.
    let number = || (-1e30..1e30).prop_map(|number: f64| number + 0.0);
    let field = prop_oneof![
        text().prop_map(|text| format!(r#""id":{text}"#)),
        any::<i32>().prop_map(|number| format!(r#""i32":{number}"#)),
        any::<i64>().prop_map(|number| format!(r#""i64":"{number}""#)),
        any::<u64>().prop_map(|number| format!(r#""u64":{number}"#)),
        number().prop_map(|number| format!(r#""ratio":{:e}"#, number as f32)),
        number().prop_map(|number| format!(r#""exactRatio":{number:e}"#)),
        (-10..10).prop_map(|number| format!(r#""fillColor":{number}"#)),
        (any::<i32>(), text())
            .prop_map(|(x, label)| format!(r#""center":{{"x":{x},"next":{{"label":{label}}}}}"#)),
        prop::collection::vec(text(), 0..4).prop_map(|tags| format!(r#""tags":[{}]"#, tags.join(","))),
        prop::collection::hash_map(text(), any::<i64>(), 0..4).prop_map(|counts| {
            let counts: Vec<String> = counts.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!(r#""counts":{{{}}}"#, counts.join(","))
        }),
        any::<bool>().prop_map(|flag| format!(r#""maybeFlag":{flag}"#)),
        text().prop_map(|text| format!(r#""value":[{text},null,{{"a":1.5}}]"#)),
        (0..253_402_300_799_i64, 0..1_000_000_000).prop_map(|(seconds, nanos)| {
            format!(r#""at":"{}""#, prost_types::Timestamp { seconds, nanos })
        }),
        text().prop_map(|label| format!(r#""any":{{"@type":"x.y/test.Point","label":{label}}}"#)),
    ];
    prop::collection::vec(field, 0..8).prop_map(|fields| format!("{{{}}}", fields.join(",")))
}

/// Of what takes much more room as JSON; here it is base64 that does.
#[test]
fn json_has_a_bound() {
    const MIB: usize = 1024 * 1024;
    let json = |data: usize| {
        let mut encoded = Vec::new();
        prost::encoding::bytes::encode(9, &vec![0; data], &mut encoded);
        shape().decode(encoded.into()).unwrap().to_json().map_err(|error| error.to_string())
    };
    assert!(json(47 * MIB).unwrap().len() > 62 * MIB);
    assert_eq!(json(48 * MIB).unwrap_err(), "it takes more than 67108864 bytes");
}

fn shape() -> MessageType {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(&SHAPES_SET).unwrap());
    SCHEMA.message_type("test.Shape").unwrap()
}

/// Does with a schema all that requests and replies can make it do.
fn use_all_messages(schema: &Schema, descriptor_set: &[u8], bytes: &Bytes) {
    let Ok(set) = FileDescriptorSet::decode(descriptor_set) else { return };
    for file in set.file {
        for message in &file.message_type {
            let name = match file.package() {
                "" => message.name().to_owned(),
                package => format!("{package}.{}", message.name()),
            };
            let Some(message) = schema.message_type(&name) else { continue };
            let mut built = message.empty();
            for field in message.fields() {
                let Ok(path) = message.field_path(field.name()) else {
                    // No compiler makes such a name: a path has its own idea of dots.
                    assert!(field.name().contains('.'), "{:?} is no path", field.name());
                    continue;
                };
                for text in ["1", "true", "x", "2030-12-31T23:59:59Z", "1s"] {
                    let _ = built.set_text(&path, text);
                    let _ = built.push_text(&path, text);
                }
                let json = format!(r#"{{"{}":[{{"a":1}}]}}"#, field.json_name());
                let _ = message.from_json(json.as_bytes());
                let _ = message.from_json(json.replace(['[', ']'], "").as_bytes());
            }
            let _ = built.to_json();
            let _ = message.decode(built.encode()).map(|decoded| decoded.to_json());
            let _ = message.decode(bytes.clone()).map(|decoded| (decoded.to_json(), decoded.encode()));
            let _ = message.from_json(bytes);
        }
    }
}

proptest! {
    #[test]
    fn messages_survive_json_and_bytes(json in shape_json()) {
        let message = shape().from_json(json.as_bytes()).unwrap();
        let printed = message.to_json().unwrap();
        prop_assert_eq!(&shape().decode(message.encode()).unwrap().to_json().unwrap(), &printed);
        prop_assert_eq!(&shape().from_json(&printed).unwrap().to_json().unwrap(), &printed);
        // Printing must not invent fields either.
        prop_assert_eq!(shape().from_json(&printed).unwrap().encode().len(), message.encode().len());
    }

    #[test]
    fn no_bytes_are_too_strange_for_a_message(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = shape().from_json(&bytes);
        if let Ok(message) = shape().decode(bytes.into()) {
            let _ = message.to_json();
        }
    }

    #[test]
    fn no_bytes_are_too_strange_for_a_schema(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(schema) = Schema::new(&bytes) {
            use_all_messages(&schema, &bytes, &Bytes::new());
        }
    }

    /// Valid sets with some bytes changed reach much further into the library than noise does.
    #[test]
    fn nor_are_broken_descriptor_sets(
        model in 0..sources::TCK.len() + 1,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        message in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        static SETS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
            sources::TCK.iter().map(|(name, _)| compile_model(name)).chain([SHAPES_SET.clone()]).collect()
        });
        let mut set = SETS[model].clone();
        // The user's file comes last in the set: what is before it are the files of the options.
        let start = set.len() - set.len() / 4;
        for (index, byte) in changes {
            let at = start + index.index(set.len() - start);
            set[at] = byte;
        }
        if let Ok(schema) = Schema::new(&set) {
            use_all_messages(&schema, &set, &message.into());
        }
    }
}

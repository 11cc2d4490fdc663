//! Joins descriptor sets of several crates without touching the bytes of a file.
//!
//! Entity keys and HTTP rules are custom options. Decoding and encoding a file with types that do not know them
//! would lose them, so a file is decoded only to learn its name.

use std::collections::HashMap;

use prost::Message;
use prost::bytes::{Buf, Bytes};
use prost::encoding::{WireType, decode_key, decode_varint};

/// A set is field 1, repeated; so are two sets written one after the other.
const FILE: u32 = 1;

/// One set with each file once. Fails when two files of one name differ, unless they belong to the compiler.
pub(super) fn merge(sets: impl Iterator<Item = &'static [u8]>) -> Result<Bytes, String> {
    let mut merged = Vec::new();
    let mut seen: HashMap<String, &'static [u8]> = HashMap::new();
    for set in sets {
        for Record { name, bytes } in records(set)? {
            match seen.get(&name) {
                None => {
                    merged.extend_from_slice(bytes);
                    seen.insert(name, bytes);
                }
                Some(first) if *first == bytes || is_bundled(&name) => {}
                Some(_) => {
                    return Err(format!(
                        "two crates of this program bring different files named `{name}`; give them different paths"
                    ));
                }
            }
        }
    }
    Ok(merged.into())
}

/// Files that come with the compiler: two crates may have been compiled by different versions of it.
fn is_bundled(name: &str) -> bool {
    name.starts_with("google/") || name.starts_with("cloudstate/")
}

struct Record {
    name: String,
    /// With its key and length.
    bytes: &'static [u8],
}

fn records(set: &'static [u8]) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    let mut rest = set;
    while rest.has_remaining() {
        let start = rest;
        let file =
            next_file(&mut rest).map_err(|error| format!("a descriptor set cannot be read: {error}"))?;
        let name = file.name;
        records.push(Record { name, bytes: &start[..start.len() - rest.len()] });
    }
    Ok(records)
}

fn next_file(rest: &mut &'static [u8]) -> Result<FileName, Box<dyn std::error::Error>> {
    let (FILE, WireType::LengthDelimited) = decode_key(rest)? else {
        return Err("it holds something other than files".into());
    };
    let length = usize::try_from(decode_varint(rest)?)?;
    let (file, after) = rest.split_at_checked(length).ok_or("it is cut off")?;
    *rest = after;
    Ok(FileName::decode(file)?)
}

#[derive(Clone, PartialEq, Message)]
struct FileName {
    #[prost(string, tag = "1")]
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set of files that have a name and field 999, which no descriptor type knows.
    fn set(files: &[(&str, u8)]) -> &'static [u8] {
        let mut set = Vec::new();
        for (name, extra) in files {
            let mut file = FileName { name: (*name).into() }.encode_to_vec();
            file.extend([0xB8, 0x3E, *extra]);
            set.extend([0x0A, u8::try_from(file.len()).unwrap()]);
            set.extend(file);
        }
        set.leak()
    }

    #[test]
    fn each_file_once_and_bytes_untouched() {
        let merged = merge([set(&[("a", 1), ("b", 2)]), set(&[("b", 2), ("c", 3)])].into_iter()).unwrap();
        assert_eq!(merged, set(&[("a", 1), ("b", 2), ("c", 3)]));
    }

    #[test]
    fn different_files_of_one_name_are_an_error_that_names_it() {
        let error = merge([set(&[("cart.proto", 1)]), set(&[("cart.proto", 2)])].into_iter()).unwrap_err();
        assert!(error.contains("`cart.proto`"), "{error}");
    }

    #[test]
    fn bundled_files_may_come_from_two_compilers() {
        let sets = [set(&[("google/api/http.proto", 1)]), set(&[("google/api/http.proto", 2)])];
        assert_eq!(merge(sets.into_iter()).unwrap(), set(&[("google/api/http.proto", 1)]));
    }

    #[test]
    fn damaged_sets_are_errors() {
        let whole = set(&[("a", 1)]);
        for bad in [&whole[..whole.len() - 1], &[0x0A], &[0x08, 1], &[0xFF; 11]] {
            assert!(merge([bad].into_iter()).is_err(), "{bad:?}");
        }
    }
}

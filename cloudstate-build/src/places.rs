//! Where the elements of a contract are, for errors.

use std::{collections::BTreeMap, path::PathBuf};

use prost_types::FileDescriptorProto;

/// The files on disk, by the path under which others import them.
pub(crate) struct Places(pub(crate) BTreeMap<String, PathBuf>);

impl Places {
    /// `file:line:column` of an element. `at` is as in `SourceCodeInfo.Location.path`.
    pub(crate) fn of(&self, file: &FileDescriptorProto, at: &[i32]) -> String {
        let path = self.0.get(file.name()).map(|path| path.display().to_string());
        let path = path.unwrap_or_else(|| file.name().to_owned());
        let mut locations = file.source_code_info.iter().flat_map(|info| &info.location);
        let span = locations.find(|location| location.path == at).map(|location| location.span.as_slice());
        match span {
            Some([line, column, ..]) => format!("{path}:{}:{}", line + 1, column + 1),
            _ => path,
        }
    }
}

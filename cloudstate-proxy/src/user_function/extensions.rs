//! What proxy and user function may agree on beyond the protocol, in a header of `discover`.

use cloudstate_proto::{EXTENSIONS_HEADER, STATUS_CODE_EXTENSION, TRACE_CONTEXT_EXTENSION};
use tonic::{
    Request,
    metadata::{MetadataMap, MetadataValue},
};

/// Extensions of the protocol. A stranger knows none, and then every message is that of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// Failures carry status codes.
    pub(crate) status_codes: bool,
    /// Commands to entities carry the trace context of their calls.
    pub(crate) trace_context: bool,
}

impl Extensions {
    /// What this proxy knows.
    pub(super) const ALL: Self = Self { status_codes: true, trace_context: true };

    /// Those of a list, which may stand in several headers, that this proxy knows.
    pub(super) fn named_in(headers: &MetadataMap) -> Self {
        let lists = headers.get_all(EXTENSIONS_HEADER).iter().filter_map(|list| list.to_str().ok());
        let mut named = Self::default();
        for name in lists.flat_map(|list| list.split(',')) {
            match name.trim() {
                STATUS_CODE_EXTENSION => named.status_codes = true,
                TRACE_CONTEXT_EXTENSION => named.trace_context = true,
                _ => {}
            }
        }
        named
    }

    /// A request that names them: a user function cannot know which `discover` a call belongs to.
    pub(super) fn request<T>(self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        self.name_in(request.metadata_mut());
        request
    }

    /// Names them, in one list; none need no header.
    fn name_in(self, headers: &mut MetadataMap) {
        let list = match (self.status_codes, self.trace_context) {
            (false, false) => return,
            (true, false) => STATUS_CODE_EXTENSION,
            (false, true) => TRACE_CONTEXT_EXTENSION,
            (true, true) => "status-code,trace-context",
        };
        headers.insert(EXTENSIONS_HEADER, MetadataValue::from_static(list));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &'static str) -> MetadataMap {
        let mut headers = MetadataMap::new();
        headers.insert(EXTENSIONS_HEADER, MetadataValue::from_static(list));
        headers
    }

    #[test]
    fn what_is_named_is_read() {
        for status_codes in [false, true] {
            for trace_context in [false, true] {
                let extensions = Extensions { status_codes, trace_context };
                let mut headers = MetadataMap::new();
                extensions.name_in(&mut headers);
                assert_eq!(Extensions::named_in(&headers), extensions);
            }
        }
    }

    #[test]
    fn a_list_is_read_by_its_elements() {
        for (list, status_codes, trace_context) in [
            ("other, status-code", true, false),
            ("trace-context ,status-codes", false, true),
            ("", false, false),
        ] {
            let expected = Extensions { status_codes, trace_context };
            assert_eq!(Extensions::named_in(&headers(list)), expected, "{list:?}");
        }
    }

    #[test]
    fn lists_add_up() {
        let mut headers = headers("status-code");
        headers.append(EXTENSIONS_HEADER, MetadataValue::from_static("trace-context"));
        assert_eq!(Extensions::named_in(&headers), Extensions::ALL);
    }
}

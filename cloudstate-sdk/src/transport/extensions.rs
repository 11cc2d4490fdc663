//! Who has agreed to extensions of the protocol.
//!
//! The agreement is between this user function and one proxy: `discover` names the extensions, the answer repeats
//! those that are known. But a proxy spreads its entity streams over several connections, and a stream need not
//! say which `discover` it belongs to. So a stream uses an extension
//!
//! 1. if its own request headers name it, as this project's proxy does, or
//! 2. if every `discover` that came from its IP address named it.
//!
//! The second is safe because a proxy discovers before it opens streams, from the same address: as soon as one proxy
//! behind an address does not know the extension, its `discover` has switched it off for that address. Several
//! proxies behind one address (on loopback, say) thus get codes only if all know them, or if they name the extension on
//! each stream.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use cloudstate_proto::{EXTENSIONS_HEADER, STATUS_CODE_EXTENSION, TRACE_CONTEXT_EXTENSION};
use tonic::metadata::{MetadataMap, MetadataValue};

/// Addresses beyond this many are not remembered, and get no extensions: a client must not be able to fill the memory.
const MAX_ADDRESSES: usize = 4096;

/// What the proxies behind each address know.
#[derive(Default)]
pub(super) struct Agreements {
    status_codes: RwLock<HashMap<IpAddr, bool>>,
}

impl Agreements {
    /// Remembers what a `discover` named.
    pub(super) fn discovered(&self, peer: Option<IpAddr>, headers: &MetadataMap) {
        let named = names(headers, STATUS_CODE_EXTENSION);
        if let Some(peer) = peer {
            let mut agreed = self.status_codes.write().unwrap_or_else(PoisonError::into_inner);
            if agreed.len() < MAX_ADDRESSES || agreed.contains_key(&peer) {
                agreed.entry(peer).and_modify(|all| *all &= named).or_insert(named);
            }
        }
    }

    /// Whether a stream may carry status codes.
    pub(super) fn status_codes(&self, peer: Option<IpAddr>, headers: &MetadataMap) -> bool {
        let by_address = || {
            let agreed = self.status_codes.read().unwrap_or_else(PoisonError::into_inner);
            peer.is_some_and(|peer| agreed.get(&peer).copied().unwrap_or(false))
        };
        names(headers, STATUS_CODE_EXTENSION) || by_address()
    }
}

/// Adds to the answer of `discover` those extensions of the request that are known here.
pub(super) fn agree(asked: &MetadataMap, answer: &mut MetadataMap) {
    let known = [STATUS_CODE_EXTENSION, TRACE_CONTEXT_EXTENSION];
    let agreed: Vec<&str> = known.into_iter().filter(|extension| names(asked, extension)).collect();
    if let Ok(list) = MetadataValue::try_from(agreed.join(","))
        && !agreed.is_empty()
    {
        answer.insert(EXTENSIONS_HEADER, list);
    }
}

/// The header is a comma separated list, and may come several times.
fn names(headers: &MetadataMap, extension: &str) -> bool {
    let lists = headers.get_all(EXTENSIONS_HEADER);
    lists
        .iter()
        .filter_map(|list| list.to_str().ok())
        .any(|list| list.split(',').any(|named| named.trim() == extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn headers(list: Option<&'static str>) -> MetadataMap {
        let mut headers = MetadataMap::new();
        if let Some(list) = list {
            headers.insert(EXTENSIONS_HEADER, MetadataValue::from_static(list));
        }
        headers
    }

    #[test]
    fn a_list_is_read_by_its_elements() {
        for (list, agreed) in [
            (Some("status-code"), Some("status-code")),
            (Some("other, status-code"), Some("status-code")),
            (Some("trace-context ,status-code"), Some("status-code,trace-context")),
            (Some("status-codes"), None),
            (Some(""), None),
            (None, None),
        ] {
            let mut answer = MetadataMap::new();
            agree(&headers(list), &mut answer);
            assert_eq!(answer.get(EXTENSIONS_HEADER).map(|list| list.to_str().unwrap()), agreed, "{list:?}");
        }
    }

    #[test]
    fn one_ignorant_proxy_switches_it_off_for_its_address() {
        let agreements = Agreements::default();
        let streams = headers(None);
        assert!(!agreements.status_codes(PEER, &streams));
        agreements.discovered(PEER, &headers(Some("status-code")));
        assert!(agreements.status_codes(PEER, &streams));
        assert!(!agreements.status_codes(None, &streams));
        agreements.discovered(PEER, &headers(None));
        agreements.discovered(PEER, &headers(Some("status-code")));
        assert!(!agreements.status_codes(PEER, &streams));
        assert!(agreements.status_codes(PEER, &headers(Some("status-code"))));
    }
}

//! Program arguments of the reference proxy: `-Dcloudstate.proxy.KEY=VALUE` and `-Dconfig.resource=NAME`.

use super::table::SETTINGS;

const NAMESPACE: &str = "cloudstate.proxy.";
const CONFIG_RESOURCE: &str = "config.resource";
pub(super) const DEV_MODE: &str = "dev-mode-enabled";
/// Not a key of the reference, which chooses its store through `config.resource` alone.
pub(super) const STORE_OF_RESOURCE: &str = "(store)";

/// What a `-D` argument sets `key` to, and how it was written.
pub(super) fn value(argument: &str, key: &str) -> Option<(String, String)> {
    let (name, value) = argument.split_once('=')?;
    let found = match name {
        CONFIG_RESOURCE => resource(value)?.iter().find(|(sets, _)| *sets == key)?.1,
        _ => (name.strip_prefix(NAMESPACE)? == key).then_some(value)?,
    };
    Some((format!("-D{name}"), found.to_owned()))
}

/// Why a `-D` argument has no effect, or has another one than there.
pub(super) fn warning(property: &str) -> Option<String> {
    let Some((name, value)) = property.split_once('=') else {
        return Some(format!("-D{property} has no effect: write -Dkey=value"));
    };
    if name == CONFIG_RESOURCE {
        return match value {
            "no-store.conf" => {
                Some(format!("-D{property}: this proxy always has a store; it is kept in memory"))
            }
            _ if resource(value).is_some() => None,
            _ => Some(format!(
                "-D{property} has no effect: known are in-memory.conf, dev-mode.conf and no-store.conf; \
                 choose the store with --store"
            )),
        };
    }
    let key = name.strip_prefix(NAMESPACE);
    let known = key.is_some_and(|key| {
        key == DEV_MODE || SETTINGS.iter().any(|setting| setting.properties.contains(&key))
    });
    (!known).then(|| format!("-D{name} has no effect: this proxy has no such setting"))
}

/// The reference reads a time without a unit as milliseconds.
pub(super) fn with_reference_unit(key: &str, text: String) -> String {
    let is_time = key.ends_with("-timeout") || key.starts_with("backoff.");
    if is_time && text.chars().all(|c| c.is_ascii_digit()) { text + "ms" } else { text }
}

/// What the reference's configuration variants set.
fn resource(name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match name {
        "in-memory.conf" | "no-store.conf" => Some(&[(STORE_OF_RESOURCE, "memory")]),
        "dev-mode.conf" => Some(&[(STORE_OF_RESOURCE, "memory"), (DEV_MODE, "true")]),
        _ => None,
    }
}

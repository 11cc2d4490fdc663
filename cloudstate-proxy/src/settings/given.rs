//! The values that were given, wherever.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    Arguments, PassivationTimeouts, SettingError,
    reference::{DEV_MODE, with_reference_unit},
    table::{PASSIVATION_TIMEOUT, Setting, USER_FUNCTION},
    value::{host, host_and_port, ip, peer_port, port, positive_time, size, socket_address, switch},
};

/// All places where values come from.
pub(super) struct Given<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
}

/// A text and where it was given, for messages.
struct Text {
    text: String,
    source_name: String,
}

impl Given<'_> {
    pub(super) fn value<T, E: Display>(
        &self,
        setting: &Setting,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingError> {
        self.value_by(setting, setting.properties.first().copied(), parse)
    }

    /// The value of a setting of which `key` is a key of the reference.
    fn value_by<T, E: Display>(
        &self,
        setting: &Setting,
        key: Option<&str>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingError> {
        let flag = self.flag(setting);
        let property = key.and_then(|key| self.property(key));
        let variable = setting.variables.first().and_then(|name| self.variable(name));
        first_parsed([flag, property, variable], parse)
    }

    pub(super) fn passivation_timeout(
        &self,
        defaults: PassivationTimeouts,
    ) -> Result<PassivationTimeouts, SettingError> {
        let of = |kind: usize, default| {
            let key = PASSIVATION_TIMEOUT.properties.get(kind).copied();
            Ok(self.value_by(&PASSIVATION_TIMEOUT, key, positive_time)?.unwrap_or(default))
        };
        Ok(PassivationTimeouts {
            event_sourced: of(0, defaults.event_sourced)?,
            value: of(1, defaults.value)?,
            crdt: of(2, defaults.crdt)?,
        })
    }

    pub(super) fn time(&self, setting: &Setting, default: Duration) -> Result<Duration, SettingError> {
        Ok(self.value(setting, positive_time)?.unwrap_or(default))
    }

    pub(super) fn size(&self, setting: &Setting, default: usize) -> Result<usize, SettingError> {
        Ok(self.value(setting, size)?.unwrap_or(default))
    }

    /// An address to listen on. Host and port may be given apart; the one that is missing comes from the default.
    pub(super) fn address(
        &self,
        setting: &Setting,
        default: Option<SocketAddr>,
    ) -> Result<Option<SocketAddr>, SettingError> {
        let whole = first_parsed([self.flag(setting)], |text| match text {
            "off" if setting.value.ends_with("|off") => Ok(None),
            _ => socket_address(text).map(Some),
        })?;
        let (host, port) = (self.part(setting, 0, ip)?, self.part(setting, 1, port)?);
        Ok(match (whole, host, port) {
            (Some(whole), _, _) => whole,
            (None, None, None) => default,
            (None, host, port) => {
                let default = default.unwrap_or(DEFAULT_METRICS);
                Some(SocketAddr::new(host.unwrap_or(default.ip()), port.unwrap_or(default.port())))
            }
        })
    }

    pub(super) fn user_function(&self, default: String) -> Result<String, SettingError> {
        let whole = first_parsed([self.flag(&USER_FUNCTION)], host_and_port)?;
        let host = self.part(&USER_FUNCTION, 0, host)?;
        let port = self.part(&USER_FUNCTION, 1, peer_port)?;
        let (default_host, default_port) = default.rsplit_once(':').unwrap_or((&default, "8080"));
        Ok(match (whole, host, port) {
            (Some(whole), _, _) => whole,
            (None, host, port) => format!(
                "{}:{}",
                host.as_deref().unwrap_or(default_host),
                port.map_or(default_port.to_owned(), |port| port.to_string())
            ),
        })
    }

    /// The host (0) or the port (1) of an address.
    fn part<T>(
        &self,
        setting: &Setting,
        part: usize,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingError> {
        let property = setting.properties.get(part).and_then(|key| self.property(key));
        let variable = setting.variables.get(part).and_then(|name| self.variable(name));
        first_parsed([property, variable], parse)
    }

    pub(super) fn dev_mode(&self) -> Result<bool, SettingError> {
        Ok(first_parsed([self.property(DEV_MODE)], switch)?.unwrap_or(false))
    }

    fn flag(&self, setting: &Setting) -> Option<Text> {
        let text = self.arguments.flag(setting)?.to_owned();
        Some(Text { text, source_name: format!("--{}", setting.flag) })
    }

    fn property(&self, key: &str) -> Option<Text> {
        let (source_name, text) = self.arguments.property(key)?;
        Some(Text { text: with_reference_unit(key, text), source_name })
    }

    fn variable(&self, name: &str) -> Option<Text> {
        let text = (self.variable)(name).filter(|text| !text.is_empty())?;
        Some(Text { text, source_name: name.to_owned() })
    }
}

/// Where the reference serves metrics.
const DEFAULT_METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// The first of `texts` that was given. The others are parsed as well, so that a mistake is not found on the day a flag
/// is removed.
fn first_parsed<T, E: Display, const N: usize>(
    texts: [Option<Text>; N],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, SettingError> {
    let mut first = None;
    for Text { text, source_name } in texts.into_iter().flatten() {
        let value =
            parse(text.trim()).map_err(|reason| SettingError { source_name, reason: reason.to_string() })?;
        first.get_or_insert(value);
    }
    Ok(first)
}

//! What a text stands for, or what to write instead.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use http::{HeaderValue, Uri};

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.replace("localhost:", "127.0.0.1:").parse().map_err(|_| {
        format!("{text:?} is not an address; write an IP address and a port, such as 127.0.0.1:9000")
    })
}

pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    text.replace("localhost", "127.0.0.1")
        .parse()
        .map_err(|_| format!("{text:?} is not an IP address; write for example 127.0.0.1 or 0.0.0.0"))
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{text:?} is not a port; write a number from 0 to 65535"))
}

pub(super) fn peer_port(text: &str) -> Result<u16, String> {
    port(text)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("{text:?} is not a port; write a number from 1 to 65535"))
}

/// A name or an IP address, IPv6 in brackets, as it stands before a colon and a port.
pub(super) fn host(text: &str) -> Result<String, String> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
        return Ok(format!("[{ip}]"));
    }
    let in_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !text.is_empty() && text.chars().all(in_names) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is not a host; write a name such as localhost, or an IP address"))
}

pub(super) fn host_and_port(text: &str) -> Result<String, String> {
    text.rsplit_once(':')
        .and_then(|(name, port)| Some(format!("{}:{}", host(name).ok()?, peer_port(port).ok()?)))
        .ok_or_else(|| format!("{text:?} is not an address; write host:port, such as 127.0.0.1:8080"))
}

pub(super) fn positive_time(text: &str) -> Result<Duration, String> {
    time(text).and_then(|time| {
        if time.is_zero() { Err(format!("{text:?} is too short; write at least 1ms")) } else { Ok(time) }
    })
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let (number, unit) = number_and_unit(text);
    let milliseconds = match unit {
        "ms" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "second" | "seconds" => 1000,
        "m" | "minute" | "minutes" => 60 * 1000,
        "h" | "hour" | "hours" => 60 * 60 * 1000,
        "d" | "day" | "days" => 24 * 60 * 60 * 1000,
        _ => 0,
    };
    match number.and_then(|number| number.checked_mul(milliseconds)) {
        Some(time) if milliseconds > 0 && Duration::from_millis(time) <= LONGEST => {
            Ok(Duration::from_millis(time))
        }
        Some(_) if milliseconds > 0 => Err(format!("{text:?} is too long; write at most 365d")),
        _ => {
            Err(format!("{text:?} is not a time; write a whole number and a unit, such as 500ms, 30s or 1m"))
        }
    }
}

/// The limit is that of a gRPC message length in the languages that count it with 32 bits and a sign.
pub(super) fn size(text: &str) -> Result<usize, String> {
    const LARGEST: u64 = i32::MAX as u64;
    let (number, unit) = number_and_unit(text);
    let bytes = match unit {
        "" | "B" | "byte" | "bytes" => 1,
        "kB" => 1000,
        "K" | "k" | "Ki" | "KiB" => 1024,
        "MB" => 1_000_000,
        "M" | "m" | "Mi" | "MiB" => 1024 * 1024,
        "GB" => 1_000_000_000,
        "G" | "g" | "Gi" | "GiB" => 1024 * 1024 * 1024,
        _ => 0,
    };
    match number.and_then(|number| number.checked_mul(bytes)) {
        Some(size @ 1..=LARGEST) => Ok(size as usize),
        Some(_) if bytes > 0 => {
            Err(format!("{text:?} is out of range; write a size from 1 to {LARGEST} bytes"))
        }
        _ => Err(format!("{text:?} is not a size; write bytes or a unit, such as 65536, 64KiB or 12MiB")),
    }
}

fn number_and_unit(text: &str) -> (Option<u64>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.parse().ok(), unit.trim_start())
}

pub(super) fn up_to_a_million(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|size| (1..=1_000_000).contains(size))
        .ok_or_else(|| format!("{text:?} is out of range; write a number from 1 to 1000000"))
}

pub(super) fn streams(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|streams| (1..=100_000).contains(streams))
        .ok_or_else(|| format!("{text:?} is out of range; write a number from 1 to 100000"))
}

/// Origins as browsers send them, joined by commas.
pub(super) fn origins(text: &str) -> Result<Vec<HeaderValue>, String> {
    if text == "off" {
        return Ok(Vec::new());
    }
    text.split(',').map(|origin| self::origin(origin.trim())).collect()
}

fn origin(text: &str) -> Result<HeaderValue, String> {
    let uri = text.parse::<Uri>().ok();
    let is_origin = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| text.ends_with(authority.as_str()))
    });
    HeaderValue::from_str(text).ok().filter(|_| is_origin || text == "*").ok_or_else(|| {
        format!("{text:?} is not an origin; write scheme and host, such as https://app.example.com, or *")
    })
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

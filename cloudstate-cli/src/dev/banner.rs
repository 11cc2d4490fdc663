//! What a person sees when the program is served: each route, with a line to try it.

use std::{
    fmt::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use cloudstate_proxy::{Route, Serving};

/// Routes of `program`, ready to be called from a shell.
pub(super) fn banner(program: &str, serving: &Serving) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_banner(&mut text, program, serving);
    text
}

fn write_banner(text: &mut String, program: &str, serving: &Serving) -> fmt::Result {
    let origin = format!("http://{}", reachable(serving.listen));
    writeln!(text, "\n{program} is served on {origin} (HTTP/JSON and gRPC)\n")?;
    for route in &serving.routes {
        writeln!(text, "  {} {}", route.verb, route.template)?;
        writeln!(text, "    {}", curl(&origin, route))?;
    }
    writeln!(text)
}

/// An address that a client on this machine can use.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn curl(origin: &str, route: &Route) -> String {
    let mut line = format!("curl {}", quoted(&format!("{origin}{}", route.sample_path)));
    let default_verb = if route.sample_body.is_some() { "POST" } else { "GET" };
    if route.verb != default_verb {
        line = format!("{line} -X {}", quoted(&route.verb));
    }
    match &route.sample_body {
        Some(body) => format!("{line} -H 'content-type: application/json' -d {}", quoted(body)),
        None => line,
    }
}

/// One word of a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn route(verb: &str, sample_path: &str, sample_body: Option<&str>) -> Route {
        Route {
            verb: verb.to_owned(),
            template: "/cart/{user_id}".to_owned(),
            rpc: "shop.Cart/Get".to_owned(),
            sample_path: sample_path.to_owned(),
            sample_body: sample_body.map(str::to_owned),
        }
    }

    #[test]
    fn each_route_has_its_curl_line() {
        let serving = Serving {
            listen: ([0, 0, 0, 0], 9000).into(),
            services: Vec::new(),
            routes: vec![
                route("POST", "/cart/u1/items/add", Some(r#"{"name":"tea"}"#)),
                route("GET", "/carts/u1", None),
                route("DELETE", "/carts/u1", None),
                route("PUT", "/carts/u1?all=true", Some("{}")),
            ],
            warnings: Vec::new(),
        };
        assert_eq!(
            banner("shopping-cart", &serving),
            r#"
shopping-cart is served on http://127.0.0.1:9000 (HTTP/JSON and gRPC)

  POST /cart/{user_id}
    curl http://127.0.0.1:9000/cart/u1/items/add -H 'content-type: application/json' -d '{"name":"tea"}'
  GET /cart/{user_id}
    curl http://127.0.0.1:9000/carts/u1
  DELETE /cart/{user_id}
    curl http://127.0.0.1:9000/carts/u1 -X DELETE
  PUT /cart/{user_id}
    curl 'http://127.0.0.1:9000/carts/u1?all=true' -X PUT -H 'content-type: application/json' -d '{}'

"#
        );
    }

    /// A real shell must hand on exactly the word.
    #[test]
    fn a_shell_reads_back_every_quoted_word() {
        for word in
            ["", "plain", "two words", r#"{"name":"it's $HOME `x` \n !"}"#, "'", "a\nb", "ä", "*", "-d"]
        {
            let output =
                Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), *word);
        }
    }
}

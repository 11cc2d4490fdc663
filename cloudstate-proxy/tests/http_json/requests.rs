//! What requests become: messages, or refusals that say what to do.

use std::{convert::Infallible, pin::Pin, task};

use bytes::Bytes;
use cloudstate_proxy::routing::Reply;
use http::{HeaderName, Request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use proptest::prelude::*;
use prost::Message as _;

use crate::proxy::{Answer, CannedCalls, MAX_REQUEST_SIZE, Proxy, only_request};

/// The request must arrive as the rpc `Draw` with this message, which is given as JSON.
#[track_caller]
fn check(request: &str, body: &str, expected: &str) {
    let proxy = Proxy::shapes();
    let answer = block_on(proxy.send(request, body));
    assert_eq!(answer.status, 200, "{request} {body}: {answer:?}");
    let expected = proxy.normalized("test.Shape", expected);
    assert_eq!(proxy.only_call(), ("Draw".to_owned(), expected), "{request} {body}");
}

/// The request must be refused with this status and sentence.
#[track_caller]
fn refused(request: &str, body: &str, status: u16, sentence: &str) {
    let proxy = Proxy::shapes();
    let answer = block_on(proxy.send(request, body));
    assert_eq!(answer, Answer::text(status, sentence), "{request} {body}");
    assert!(proxy.calls.seen.lock().unwrap().is_empty(), "{request} was carried out");
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_body_is_the_message_and_the_path_overwrites() {
    check("POST /whole/a", "{}", r#"{"id":"a"}"#);
    check("POST /whole/a", "", r#"{"id":"a"}"#);
    check("POST /whole/a", r#" { "id": "b", "i32": 7 } "#, r#"{"id":"a","i32":7}"#);
    check("POST /whole/a?i32=8&unknown=1", r#"{"i32":7}"#, r#"{"id":"a","i32":7}"#);
    check("PATCH /shapes/a:move", r#"{"center":{"x":1}}"#, r#"{"id":"a","center":{"x":1}}"#);
    check(
        "POST /whole/a",
        r#"{"fill_color":"RED","maybeText":"x","legacyName":"y","i64":"-9","u64":18446744073709551615}"#,
        r#"{"id":"a","fillColor":1,"maybe_text":"x","legacyName":"y","i64":-9,"u64":"18446744073709551615"}"#,
    );
    check("POST /whole/a", r#"{"i32":null,"center":null}"#, r#"{"id":"a"}"#);
}

#[test]
fn the_payload_is_the_canonical_encoding() {
    let proxy = Proxy::shopping_cart();
    block_on(proxy.send("POST /cart/u1/items/add", r#"{"name":"","quantity":2,"productId":"p1"}"#));
    let call = proxy.calls.last();
    assert_eq!(call.method.path(), "/com.example.shoppingcart.ShoppingCart/AddItem");
    assert_eq!(only_request(call), b"\x0a\x02u1\x12\x02p1\x20\x02".as_ref());
}

#[test]
fn a_body_can_be_one_field() {
    check("PUT /center/a", r#"{"x":1,"label":"c"}"#, r#"{"id":"a","center":{"x":1,"label":"c"}}"#);
    check("PUT /center/a?i32=7&tags=t", r#"{"x":1}"#, r#"{"id":"a","i32":7,"tags":["t"],"center":{"x":1}}"#);
    check("PUT /center/a", "", r#"{"id":"a"}"#);
    refused(
        "PUT /center/a?center.x=1",
        "{}",
        400,
        "The query parameter `center.x` belongs into the request body.",
    );
}

#[test]
fn a_body_that_no_rule_asks_for_is_ignored() {
    let proxy = Proxy::shapes();
    let form = Request::get("/query/a?i32=7").header("content-type", "application/x-www-form-urlencoded");
    let answer = block_on(proxy.serve(form.body(Full::from("i32=9")).unwrap()));
    assert_eq!(answer.status(), 200);
    let expected = proxy.normalized("test.Shape", r#"{"id":"a","i32":7}"#);
    assert_eq!(proxy.only_call().1, expected);
}

#[test]
fn query_parameters_name_fields() {
    let cases = [
        ("", "{}"),
        ("&&", "{}"),
        ("flag=TRUE", r#"{"flag":true}"#),
        ("i32=-7&i64=-8&u32=9&u64=10", r#"{"i32":-7,"i64":-8,"u32":9,"u64":10}"#),
        ("ratio=1.5&exact_ratio=-2e3", r#"{"ratio":1.5,"exactRatio":-2000}"#),
        ("exactRatio=NaN&ratio=-Infinity", r#"{"exactRatio":"NaN","ratio":"-Infinity"}"#),
        ("data=aGk_", r#"{"data":"aGk/"}"#),
        ("fill_color=BLUE", r#"{"fillColor":"BLUE"}"#),
        ("fillColor=5", r#"{"fillColor":"BLUE"}"#),
        ("fillColor=77", r#"{"fillColor":77}"#),
        ("colors=RED&colors=5", r#"{"colors":["RED","BLUE"]}"#),
        ("tags=b&tags=a&marks=1&tags=&marks=2", r#"{"tags":["b","a",""],"marks":[1,2]}"#),
        ("center.x=1&center.next.next.label=deep", r#"{"center":{"x":1,"next":{"next":{"label":"deep"}}}}"#),
        ("dot.x=1", r#"{"dot":{"x":1}}"#),
        ("text_form=", r#"{"textForm":""}"#),
        ("note=", r#"{"note":""}"#),
        ("note", r#"{"note":""}"#),
        ("note=a%20b+c%2Bd%26e=f", r#"{"note":"a b c+d&e=f"}"#),
        ("note=100%", r#"{"note":"100%"}"#),
        ("at=2030-12-31T23:59:59.5Z", r#"{"at":"2030-12-31T23:59:59.500Z"}"#),
        ("lasts=1.5s", r#"{"lasts":"1.500s"}"#),
        ("mask=fillColor,center.x", r#"{"mask":"fillColor,center.x"}"#),
        (
            "maybe_text=&maybe_count=-5&maybe_flag=false",
            r#"{"maybeText":"","maybeCount":-5,"maybeFlag":false}"#,
        ),
    ];
    for (query, expected) in cases {
        let expected = format!(r#"{{"id":"a",{}"#, &expected[1..]).replace(",}", "}");
        check(&format!("GET /query/a?{query}"), "", &expected);
    }
    check("GET /query/a?id=b", "", r#"{"id":"a"}"#);
}

#[test]
fn query_parameters_that_fit_no_field_are_named() {
    let cases = [
        ("size=1", "`size` is unknown: test.Shape has no field `size`"),
        ("center.z=1", "`center.z` is unknown: test.Point has no field `z`"),
        ("=1", "`` is unknown: test.Shape has no field ``"),
        (
            "i32.x=1",
            "`i32.x` is unknown: `i32` is not a single message, so it has no field of its own to name after a dot",
        ),
        (
            "points.x=1",
            "`points.x` is unknown: `points` is not a single message, so it has no field of its own to name after a dot",
        ),
        ("i32=1&i32=2", "`i32` is given more than once, but takes one value"),
        ("fillColor=1&fill_color=2", "`fill_color` is given more than once, but takes one value"),
        ("i32=x", r#"`i32` takes a whole number of 32 bits, not "x""#),
        ("i32=2147483648", r#"`i32` takes a whole number of 32 bits, not "2147483648""#),
        ("i32=1.5", r#"`i32` takes a whole number of 32 bits, not "1.5""#),
        ("u64=-1", r#"`u64` takes a whole number from 0 of 64 bits, not "-1""#),
        ("flag=1", r#"`flag` takes true or false, not "1""#),
        ("ratio=1e39", r#"`ratio` takes a number that fits its type, not "1e39""#),
        ("exact_ratio=", r#"`exact_ratio` takes a number, not """#),
        ("data=!", r#"`data` takes base64, not "!""#),
        ("fillColor=red", r#"`fillColor` takes one of COLOR_UNSPECIFIED, RED, BLUE or a number, not "red""#),
        ("at=yesterday", r#"`at` takes a time such as 2030-12-31T23:59:59Z, not "yesterday""#),
        ("lasts=1h", r#"`lasts` takes a duration in seconds such as 1.5s, not "1h""#),
        ("maybe_count=x", r#"`maybe_count` takes a whole number of 64 bits, not "x""#),
        ("counts=1", "`counts` is a map, which only a JSON body can carry"),
        ("center=1", "`center` is a message (test.Point): name one of its fields after a dot, or send JSON"),
        ("note=%FF", "`note` is not valid UTF-8"),
    ];
    for (query, expected) in cases {
        refused(&format!("GET /query/a?{query}"), "", 400, &format!("The query parameter {expected}."));
    }
    // What is repeated to the client is cut to what a person reads.
    let long = "x".repeat(20_000);
    let answer = block_on(Proxy::shapes().send(&format!("GET /query/a?{long}=1"), ""));
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 400, "{answer:?}");

    let deep = ["next"; 200].join(".");
    let answer = block_on(Proxy::shapes().send(&format!("GET /query/a?center.{deep}.x=1"), ""));
    assert_eq!(answer.status, 400);
    assert!(answer.body.ends_with("the name reaches more than 100 messages deep."), "{answer:?}");
}

#[test]
fn path_variables_are_decoded_and_parsed() {
    check("POST /whole/a+b%20c%2Fd:e%3F", "{}", r#"{"id":"a+b c/d:e?"}"#);
    check("POST /whole/caf%C3%A9", "{}", r#"{"id":"café"}"#);
    check("POST /whole/", "{}", "{}");
    check("PATCH /shapes/a%3Ab:move", "{}", r#"{"id":"a:b"}"#);
    check("DELETE /files/home/a/b%20c", "", r#"{"id":"home/a/b c"}"#);
    check("GET /at/-3/here/a", "", r#"{"id":"a","center":{"x":-3,"label":"here"}}"#);
    check(
        "GET /numbers/-1/2/true/0.5/aGk=/a",
        "",
        r#"{"id":"a","i64":-1,"u32":2,"flag":true,"ratio":0.5,"data":"aGk="}"#,
    );
    check("PURGE /any/a?i32=1", "", r#"{"id":"a","i32":1}"#);
    refused("POST /whole/%FF", "{}", 400, "The path has no valid UTF-8 for `id`.");
    refused(
        "GET /at/north/here/a",
        "",
        400,
        r#"The path has no valid value for `center.x`, which takes a whole number of 32 bits, not "north"."#,
    );
}

#[test]
fn json_that_does_not_fit_is_explained_with_its_place() {
    let cases = [
        (r#"{"i32":"x"}"#, "at `i32`: invalid digit found in string at line 1 column 10"),
        (
            r#"{"i32":true}"#,
            "at `i32`: invalid type: boolean `true`, expected a 32-bit signed integer at line 1 column 11",
        ),
        (
            "{\n \"points\": [{}, {\"x\": {}}]}",
            "at `points[1].x`: invalid type: map, expected a 32-bit signed integer at line 2 column 24",
        ),
        (r#"{"size":1}"#, "unrecognized field name 'size' at line 1 column 7"),
        (r#"{"fillColor":"red"}"#, "at `fillColor`: unrecognized enum value 'red' at line 1 column 18"),
        (r#"{"dot":{},"textForm":""}"#, "multiple fields provided for oneof 'kind'"),
        ("[]", "invalid type: sequence, expected a map at line 1 column 0"),
        ("null", "invalid type: null, expected a map at line 1 column 4"),
        (
            r#"{"i32":1}}"#,
            "a request has one message, and after it come trailing characters at line 1 column 10",
        ),
        (r#"{"i32":1"#, "EOF while parsing an object at line 1 column 8"),
        ("i32=1", "expected value at line 1 column 1"),
    ];
    for (body, expected) in cases {
        let answer = block_on(Proxy::shapes().send("POST /whole/a", body));
        assert_eq!(answer.status, 400, "{body}");
        let expected = format!("The request body is not the JSON that is expected: {expected}");
        assert!(answer.body.starts_with(&expected), "{body}: {}\nexpected {expected}", answer.body);
    }
    let answer = block_on(Proxy::shapes().send("PUT /center/a", r#"{"z":1}"#));
    assert!(answer.body.contains("unrecognized field name 'z'"), "{answer:?}");
    let deep = r#"{"center":"#.to_owned() + &r#"{"next":"#.repeat(5_000) + "{}" + &"}".repeat(5_001);
    assert_eq!(block_on(Proxy::shapes().send("POST /whole/a", &deep)).status, 400);
}

#[test]
fn a_body_must_be_declared_as_json_or_not_at_all() {
    let post = |content_type: Option<&str>| {
        let proxy = Proxy::shapes();
        let mut request = Request::post("/whole/a");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        block_on(async { Answer::read(proxy.serve(request.body(Full::from("{}")).unwrap()).await).await })
    };
    for accepted in [
        None,
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("Application/JSON ; profile=x"),
    ] {
        assert_eq!(post(accepted), Answer::json("{}"), "{accepted:?}");
    }
    for refused in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/jsonx",
        "",
        "multipart/form-data; a=b",
    ] {
        let sentence = format!("The header `content-type: {refused}` is not accepted here.");
        assert_eq!(post(Some(refused)), Answer::text(415, &sentence));
    }
}

#[test]
fn unknown_paths_and_methods_are_told_apart() {
    refused("GET /nowhere", "", 404, "There is no route for /nowhere.");
    refused("GET /query/a/", "", 404, "There is no route for /query/a/.");
    refused("POST /test.Shapes/Draw", "{}", 404, "There is no route for /test.Shapes/Draw.");
    let proxy = Proxy::shapes();
    let request =
        |method: &str, path: &str| Request::builder().method(method).uri(path).body(Full::default()).unwrap();

    let response = block_on(proxy.serve(request("DELETE", "/whole/a")));
    assert_eq!(response.headers()["allow"], "POST, OPTIONS");
    let answer = block_on(Answer::read(response));
    assert_eq!(answer, Answer::text(405, "DELETE is not possible here, only POST, OPTIONS."));

    let response = block_on(proxy.serve(request("OPTIONS", "/query/a")));
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (204, &"GET, HEAD, OPTIONS".parse().unwrap())
    );
    assert!(proxy.calls.seen.lock().unwrap().is_empty());
}

#[test]
fn head_is_get_without_the_body() {
    let proxy = Proxy::shopping_cart();
    proxy.reply_with(&b"\x0a\x04\x0a\x02p1"[..]);
    let head = Request::head("/carts/u1").body(Full::default()).unwrap();
    let response = block_on(proxy.serve(head));
    let full = r#"{"items":[{"productId":"p1","name":"","quantity":0}]}"#;
    assert_eq!(response.headers()["content-length"], full.len().to_string());
    assert_eq!(block_on(Answer::read(response)), Answer::json(""));
    assert_eq!(block_on(proxy.send("GET /carts/u1", "")), Answer::json(full));
}

/// What is thrown away of a body that is too large, so that its sender gets to see the answer.
const DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// A body that never ends; it must not be read further than allowed.
struct Endless {
    sent: usize,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent += 1000;
        assert!(self.sent <= MAX_REQUEST_SIZE + DISCARDED_BYTES + 2000, "read on after the limit");
        task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1000])))))
    }
}

#[test]
fn large_bodies_are_refused_as_they_are_read() {
    let proxy = Proxy::shapes();
    let expected =
        Answer::text(413, "The request body is larger than 65536 bytes, the most that is accepted.");

    let endless = Request::post("/whole/a").body(Endless { sent: 0 }).unwrap();
    let response = block_on(proxy.http.serve(endless, &proxy.calls, MAX_REQUEST_SIZE));
    assert_eq!(block_on(Answer::read(response)), expected);

    let body = format!(r#"{{"note":"{}"}}"#, "x".repeat(MAX_REQUEST_SIZE));
    assert_eq!(block_on(proxy.send("POST /whole/a", &body)), expected);

    let body = format!(r#"{{"note":"{}"}}"#, "x".repeat(MAX_REQUEST_SIZE - 11));
    assert_eq!(body.len(), MAX_REQUEST_SIZE);
    assert_eq!(block_on(proxy.send("POST /whole/a", &body)).status, 200);
}

/// A body in pieces, which breaks off if the last of them is none.
struct Pieces(Vec<Option<&'static str>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.0.is_empty() {
            return task::Poll::Ready(None);
        }
        let piece = self.0.remove(0);
        task::Poll::Ready(Some(piece.map(|piece| Frame::data(piece.into())).ok_or("reset")))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[test]
fn bodies_come_in_pieces_and_may_break_off() {
    let proxy = Proxy::shapes();
    let send = |pieces: Vec<Option<&'static str>>| {
        let request = Request::post("/whole/a").body(Pieces(pieces)).unwrap();
        let response = block_on(proxy.http.serve(request, &proxy.calls, MAX_REQUEST_SIZE));
        block_on(Answer::read(response))
    };
    assert_eq!(send(vec![Some(r#"{"no"#), Some(""), Some(r#"te":"x"#), Some(r#""}"#)]), Answer::json("{}"));
    let expected = proxy.normalized("test.Shape", r#"{"id":"a","note":"x"}"#);
    assert_eq!(proxy.only_call().1, expected);

    let expected = Answer::text(400, "The request body broke off before its end.");
    assert_eq!(send(vec![Some("{"), None]), expected);
}

fn canned() -> CannedCalls {
    CannedCalls { answer: Ok(Reply::default()).into(), replies: Default::default(), seen: Default::default() }
}

proptest! {
    #[test]
    fn no_request_is_too_strange(
        method in "GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|PURGE",
        path in "/(whole|query|center|at|numbers|files/home|shapes|any)(/([a-z0-9.:+]|%[0-9A-F]{2}|/){0,12}){0,6}(:move)?",
        query in "(([a-z0-9_.&=+]|%[0-9A-F]{2}|i32=|center\\.|tags=|at=|fillColor=){0,20})",
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        thread_local!(static PROXY: Proxy = Proxy::shapes());
        PROXY.with(|proxy| {
            let request = Request::builder().method(method.as_str()).uri(format!("{path}?{query}"));
            let calls = canned();
            let request = request.body(Full::new(Bytes::from(body))).unwrap();
            let response = block_on(proxy.http.serve(request, &calls, MAX_REQUEST_SIZE));
            let carried_out = calls.seen.lock().unwrap().len();
            prop_assert_eq!(carried_out, usize::from(response.status() == 200), "{:?}", response);
            prop_assert!(carried_out == 1 || [204, 400, 404, 405].contains(&response.status().as_u16()));
            Ok(())
        })?;
    }

    #[test]
    fn any_text_reaches_its_field_by_path_and_by_query(text in any::<String>()) {
        thread_local!(static PROXY: Proxy = Proxy::shapes());
        PROXY.with(|proxy| {
            let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
            let uri = format!("/query/{encoded}?note={encoded}");
            let request = Request::get(uri).header(HeaderName::from_static("accept"), "*/*");
            let calls = canned();
            let response = block_on(proxy.http.serve(request.body(Full::<Bytes>::default()).unwrap(), &calls, 0));
            prop_assert_eq!(response.status(), 200);
            #[derive(prost::Message)]
            struct Shape {
                #[prost(string, tag = "1")]
                id: String,
                #[prost(string, optional, tag = "18")]
                note: Option<String>,
            }
            let payload = only_request(calls.last());
            let shape = Shape::decode(payload).unwrap();
            prop_assert_eq!((shape.id, shape.note), (text.clone(), Some(text.clone())));
            Ok(())
        })?;
    }
}

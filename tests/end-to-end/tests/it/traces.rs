//! `--otlp` and `--log-format json`: what machines are told of a call.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::{
    client::Http,
    collector::{Collector, Span},
    site::{Site, eventually},
};

const ORDERS: &str = env!("CARGO_BIN_EXE_e2e-orders-forwarding");

const CLIENT: &str = "b7ad6b7169203331";

/// How often the proxy logs the same failure.
const NEWS_EVERY: Duration = Duration::from_secs(10);

fn trace_id(number: u8) -> String {
    format!("{:032x}", 0xabc0 + u32::from(number))
}

/// A client's span in a trace of its own.
fn traceparent(number: u8) -> String {
    format!("00-{}-{CLIENT}-01", trace_id(number))
}

/// What matters of a span: kind, rpc, entity, cause, status code.
fn told(span: &Span) -> (SpanKind, &str, &str, &str, &str) {
    let attribute = |name: &str| span.attributes.get(name).map_or("", String::as_str);
    assert_eq!(attribute("rpc.system"), "grpc");
    assert_eq!(span.name, format!("{}/{}", attribute("rpc.service"), attribute("rpc.method")));
    let rpc = span.name.strip_prefix("com.example.orders.").expect("a service of the example");
    let entity = attribute("cloudstate.entity.id");
    (span.kind, rpc, entity, attribute("cloudstate.cause"), attribute("rpc.grpc.status_code"))
}

#[tokio::test]
async fn a_trace_shows_what_a_call_led_to() {
    let collector = Collector::start().await;
    let mut site = Site::start_function(ORDERS, &["--otlp", &collector.url]).await;
    let http = site.http();
    let own = http.post("/stock/tea/deliver", r#"{"quantity":10}"#).await;
    assert_eq!(own.status, 200, "{}", own.body);
    let buy = r#"{"orderId":"o1","quantity":3}"#;
    let bought = http.post_traced("/stock/tea/buy", buy, &traceparent(1)).await;
    assert_eq!(bought.status, 200, "{}", bought.body);
    let too_many = r#"{"orderId":"o1","quantity":300}"#;
    let refused = http.post_traced("/stock/tea/buy", too_many, &traceparent(2)).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let cancelled = http.post_traced("/orders/o1/cancel", "{}", &traceparent(3)).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    let unsampled = traceparent(4).replace("-01", "-00");
    assert_eq!(http.post_traced("/stock/tea/buy", buy, &unsampled).await.status, 200);

    // What is left is sent before the proxy ends.
    site.proxy().signal(Signal::SIGTERM);
    assert!(site.proxy().ended().await.success());

    let forwarded = collector.trace(&trace_id(1));
    let [stock, order] = &forwarded[..] else { panic!("two spans expected: {forwarded:#?}") };
    assert_eq!(told(stock), (SpanKind::Server, "Stock/Buy", "tea", "client", "0"));
    assert_eq!(told(order), (SpanKind::Client, "Orders/SetLine", "o1", "forward", "0"));
    assert_eq!((&*stock.parent_id, &order.parent_id), (CLIENT, &stock.id));
    assert_eq!(stock.program, "cloudstate-proxy");

    let refused = collector.trace(&trace_id(2));
    let [stock] = &refused[..] else { panic!("one span expected: {refused:#?}") };
    assert_eq!(told(stock), (SpanKind::Server, "Stock/Buy", "tea", "client", "9"));
    assert_eq!(stock.error, None, "the client's mistake is no error of the server");

    let effects = collector.trace(&trace_id(3));
    let [order, stock] = &effects[..] else { panic!("two spans expected: {effects:#?}") };
    assert_eq!(told(order), (SpanKind::Server, "Orders/Cancel", "o1", "client", "0"));
    assert_eq!(told(stock), (SpanKind::Client, "Stock/Release", "tea", "side-effect", "0"));
    assert_eq!((&*order.parent_id, &stock.parent_id), (CLIENT, &order.id));

    assert_eq!(collector.trace(&trace_id(4)), [], "the client does not want this one to be recorded");
    let all = collector.all();
    let roots: Vec<_> = all.iter().filter(|span| span.parent_id.is_empty()).map(told).collect();
    assert_eq!(roots, [(SpanKind::Server, "Stock/Deliver", "tea", "client", "0")]);
}

#[tokio::test]
async fn a_line_of_the_log_says_which_call_failed() {
    let mut site = Site::new(&["--log-format", "json", "--relay-timeout", "300ms"]);
    site.start_user_function();
    site.start_proxy();
    site.ready().await;
    site.kill_user_function();
    let management = Http::new(site.management_port);
    eventually("the proxy knows", || async { management.get("/ready").await.status == 503 }).await;
    let add = r#"{"productId":"p1","name":"p1","quantity":1}"#;
    let start = Instant::now();
    let failed = site.http().post_traced("/cart/u1/items/add", add, &traceparent(9)).await;
    assert_eq!(failed.status, 503, "{}", failed.body);
    // More of the same is no news, unless this takes long.
    for _ in 0..3 {
        assert_eq!(site.http().post("/cart/u1/items/add", add).await.status, 503);
    }
    let lines = || -> Vec<serde_json::Value> {
        let log = site.log("proxy");
        // What follows the last newline is still being written.
        let (whole, _) = log.rsplit_once('\n').unwrap_or_default();
        whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    let trace_id = trace_id(9);
    eventually("the failure is logged", || async { lines().iter().any(|line| line["trace_id"] == trace_id) })
        .await;
    let lines = lines();
    let line = lines.iter().find(|line| line["trace_id"] == trace_id).unwrap();
    let of_the_kind = lines.iter().filter(|line| line["error"] == "CS-2001").count() as u64;
    let news = 1 + start.elapsed().as_secs() / NEWS_EVERY.as_secs();
    assert!((1..=news).contains(&of_the_kind), "{of_the_kind} lines, {news} at most");
    let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(field("service"), "com.example.shoppingcart.ShoppingCart");
    assert_eq!((field("method"), field("entity")), ("AddItem".to_owned(), "u1".to_owned()));
    assert_eq!(field("error"), "CS-2001");
    assert_eq!(field("level"), "WARN");
    let reason = field("message");
    let reason = reason.strip_prefix("a call failed: ").unwrap_or_else(|| panic!("{line}"));
    let subject = "com.example.shoppingcart.ShoppingCart/AddItem, entity \"u1\": ";
    assert!(failed.body.starts_with(&format!("{subject}{reason}")), "{}", failed.body);
}

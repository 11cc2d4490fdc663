//! `cloudstate proxy`: the sidecar of one user function.

use cloudstate_proxy::{Proxy, Serving, Settings, Status, settings};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    Error, descriptors, environment,
    logging::{self, Format},
    stop::Stop,
    traces::Traces,
};

/// Host a user function: keep its state and serve its clients
///
/// Connects to the user function, asks for its contract, and then serves every method of it to gRPC and
/// HTTP/JSON clients on one port. SIGTERM and SIGINT stop gracefully; a second one ends at once.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: settings::Arguments,
    /// What a line of the log on stderr looks like
    #[arg(long, value_enum, default_value_t = Format::Text, env = "CLOUDSTATE_LOG_FORMAT", help_heading = SEEING_IT)]
    log_format: Format,
    /// Send traces to an OpenTelemetry collector over gRPC (OTLP), for example http://127.0.0.1:4317
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", help_heading = SEEING_IT)]
    otlp: Option<String>,
}

const SEEING_IT: &str = "Seeing it";

const EXAMPLES: &str = "\
A flag wins over an argument of the reference proxy, which wins over the environment.
RUST_LOG chooses what is logged, for example RUST_LOG=debug.

Examples:
  cloudstate proxy
  cloudstate proxy --listen 0.0.0.0:9000 --store sqlite:/var/lib/cart/store.db
  HTTP_PORT=9001 USER_FUNCTION_PORT=8081 cloudstate proxy --store memory
  cloudstate proxy -Dconfig.resource=in-memory.conf -Dcloudstate.proxy.http-port=9001

Is it ready? curl localhost:8558/ready";

/// Serves until a signal or a failure.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    logging::start("info", arguments.log_format);
    descriptors::raise_limit();
    let defaults = Settings { spans: arguments.otlp.is_some(), ..Settings::default() };
    let settings = arguments.settings.resolve(environment, defaults)?;
    for warning in arguments.settings.warnings() {
        warn!("{warning}");
    }
    let traces = arguments.otlp.as_deref().map(Traces::export_to).transpose()?;
    let mut stop = Stop::listen()?;
    let proxy = Proxy::start(settings).await?;
    let outcome = tokio::select! {
        () = stop.asked() => Ok(()),
        reason = failure(proxy.status()) => Err(Error::ProxyFailed(reason)),
    };
    proxy.shutdown().await;
    if let Some(traces) = traces {
        traces.flush().await;
    }
    outcome
}

/// Logs what is served; resolves when the proxy cannot go on.
async fn failure(mut status: watch::Receiver<Status>) -> String {
    loop {
        match &*status.borrow_and_update() {
            Status::Serving(serving) => log(serving),
            Status::Failed { reason } => return reason.clone(),
            // The proxy itself logs why it cannot serve yet.
            Status::Connecting { .. } | Status::Rejected { .. } => {}
        }
        if status.changed().await.is_err() {
            return "the proxy ended unexpectedly".to_owned();
        }
    }
}

fn log(serving: &Serving) {
    info!("serving gRPC and HTTP/JSON on {}", serving.listen);
    for route in &serving.routes {
        info!("{} {} -> {}", route.verb, route.template, route.rpc);
    }
}

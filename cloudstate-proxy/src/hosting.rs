//! Finds the user function, adopts its contract, opens the port; and does so again when told to.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    Serving, Settings, Status,
    entities::Entities,
    eventing::{self, Eventing, Publisher},
    frontend::{Cors, Frontend, Listener, Reflection, http_json::HttpJson, serve_without_contract},
    management::Management,
    routing::Router,
    service_catalog::{EntityKind, Rejection, Service, ServiceCatalog},
    user_function::{Agreed, Connection, Dial, Discovered, discover},
};

/// The side of a proxy that looks after its user function.
pub(crate) struct Host {
    pub(crate) settings: Settings,
    pub(crate) dial: Dial,
    pub(crate) entities: Arc<Entities>,
    pub(crate) management: Arc<Management>,
    pub(crate) status: watch::Sender<Status>,
    /// Why the user function cannot be reached now; none: it can.
    pub(crate) unreachable: watch::Sender<Option<String>>,
    /// The contract being served; none while there is no valid one.
    pub(crate) frontend: Arc<ArcSwapOption<Frontend>>,
    /// The kind of each persistence id that was served since the start.
    pub(crate) kinds: HashMap<Arc<str>, EntityKind>,
    /// What consumers work with.
    pub(crate) eventing: eventing::Environment,
    /// What is open because of the contract.
    pub(crate) open: Open,
}

/// What has to be closed in the end.
#[derive(Default)]
pub(crate) struct Open {
    /// The port for clients, once there was a contract.
    pub(crate) listener: Option<Listener>,
    /// The consumers of the contract that is served.
    pub(crate) consumers: Option<Eventing>,
}

impl Open {
    /// Stops accepting and consuming; resolves when what is under way is finished.
    pub(crate) async fn shutdown(self) {
        let listener = async {
            if let Some(listener) = self.listener {
                listener.shutdown().await;
            }
        };
        let consumers = async {
            if let Some(consumers) = self.consumers {
                consumers.shutdown().await;
            }
        };
        tokio::join!(listener, consumers);
    }
}

impl Host {
    /// Runs until `stop`, then returns what is open.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Open {
        tokio::select! {
            () = self.host() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        self.open
    }

    /// Discovers once; with `rediscover`, again each time the user function comes back.
    async fn host(&mut self) {
        let mut connection = self.adopt_next().await;
        loop {
            connection.closed().await;
            self.unreachable.send_replace(Some("the connection was lost".to_owned()));
            // Whoever accepts connections only to close them, such as a load balancer without a backend, must not
            // make us spin.
            tokio::time::sleep(self.settings.backoff_min).await;
            connection = if self.settings.rediscover {
                self.adopt_next().await
            } else {
                self.retry(|| self.dial.connect()).await
            };
            self.unreachable.send_replace(None);
        }
    }

    /// Discovers, however long it takes, and serves what was found.
    async fn adopt_next(&mut self) -> Connection {
        let max_message_size = self.settings.max_inbound_message_size;
        let discovered = self.retry(|| discover(&self.dial, max_message_size)).await;
        let connection = discovered.connection.clone();
        match self.adopt(discovered) {
            Ok(frontend) => self.serve(frontend).await,
            Err(Rejection(reason)) => {
                tracing::error!("the contract of the user function is rejected: {reason}");
                self.entities.environment().reporter.tell(reason.clone());
                self.frontend.store(None);
                self.stop_consumers().await;
                self.status.send_replace(Status::Rejected { reason });
            }
        }
        connection
    }

    /// Tries until it succeeds, with growing pauses; each failure is the status as long as nothing is served.
    async fn retry<T, E, F>(&self, attempt: impl Fn() -> F) -> T
    where
        E: std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let mut pause = self.settings.backoff_min;
        loop {
            let error = match attempt().await {
                Ok(success) => return success,
                Err(error) => error.to_string(),
            };
            self.tell(&error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).clamp(Duration::from_millis(1), self.settings.backoff_max);
        }
    }

    fn tell(&self, error: &str) {
        let reason = Some(error.to_owned());
        self.unreachable.send_if_modified(|unreachable| {
            let news = unreachable.is_some() && *unreachable != reason;
            if news {
                unreachable.clone_from(&reason);
            }
            news
        });
        let news = self.status.send_if_modified(|status| match status {
            Status::Connecting { reason: known } if *known != reason => {
                known.clone_from(&reason);
                true
            }
            _ => false,
        });
        if news {
            let address = &self.settings.user_function;
            tracing::info!("waiting for the user function at {address}: {error}");
        }
    }

    /// Validates a contract and lets new requests use it.
    fn adopt(&mut self, discovered: Discovered) -> Result<Arc<Frontend>, Rejection> {
        let Discovered { spec, extensions, .. } = discovered;
        let info = spec.service_info.clone().unwrap_or_default();
        let catalog = Arc::new(ServiceCatalog::new(spec, self.settings.strict_protocol_version)?);
        for warning in catalog.warnings() {
            tracing::warn!("{warning}");
        }
        self.check_kinds(&catalog)?;
        self.entities.environment().pool.set_agreed(Agreed { extensions, crdts: catalog.crdt_protocol() });
        if let Some(current) = self.frontend.load_full()
            && current.catalog.is_same_contract(&catalog)
        {
            return Ok(current);
        }
        let http_json = HttpJson::new(&catalog).map_err(|error| Rejection(error.to_string()))?;
        for warning in http_json.warnings() {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            "user function {} {} ({} {}, {})",
            or_unnamed(&info.service_name),
            info.service_version,
            info.support_library_name,
            info.support_library_version,
            info.service_runtime
        );
        let title = (or_unnamed(&info.service_name).to_owned(), info.service_version);
        let frontend = Arc::new(self.frontend(catalog, http_json, title));
        self.frontend.store(Some(Arc::clone(&frontend)));
        Ok(frontend)
    }

    fn frontend(
        &self,
        catalog: Arc<ServiceCatalog>,
        http_json: HttpJson,
        title: (String, String),
    ) -> Frontend {
        let spans = self.entities.environment().spans.clone();
        let publisher = Publisher::new(Arc::clone(&self.eventing.topics), spans);
        Frontend {
            router: Router::new(Arc::clone(&catalog), Arc::clone(&self.entities), publisher),
            openapi: OnceLock::new(),
            title,
            reflection: Arc::new(Reflection::new(&catalog)),
            management: Arc::clone(&self.management),
            catalog,
            http_json,
            max_request_size: self.settings.max_request_size,
            // The entity has its own, shorter limit; this one is for clients that stall.
            request_timeout: self.settings.relay_timeout.saturating_mul(2),
        }
    }

    /// What is stored under a persistence id, and lives by it, is of one kind.
    fn check_kinds(&mut self, catalog: &ServiceCatalog) -> Result<(), Rejection> {
        let services = || catalog.methods().iter().map(|method| &method.service);
        let other = |service: &&Arc<Service>| {
            self.kinds.get(&service.persistence_id).is_some_and(|kind| *kind != service.kind)
        };
        if let Some(service) = services().find(other) {
            return Err(Rejection(format!(
                "Service [{}] has another entity type than before for the persistence id [{}]: give it a new persistence id, or restart the proxy if nothing is stored",
                service.name, service.persistence_id
            )));
        }
        let entities = services().filter(|service| service.kind.is_entity());
        self.kinds.extend(entities.map(|service| (Arc::clone(&service.persistence_id), service.kind)));
        Ok(())
    }

    /// Opens the port, the first time, tells what is served, and starts what consumes events.
    async fn serve(&mut self, frontend: Arc<Frontend>) {
        if self.open.listener.is_none() {
            match self.listen().await {
                Ok(listener) => self.open.listener = Some(listener),
                Err(error) => {
                    let reason = format!("cannot listen on {}: {error}", self.settings.listen);
                    self.status.send_replace(Status::Failed { reason });
                    return;
                }
            }
        }
        let listen = self.open.listener.as_ref().map_or(self.settings.listen, Listener::address);
        let services = frontend.catalog.services().map(|service| service.name.to_string()).collect();
        let routes = frontend.http_json.routes().to_vec();
        let warnings = [frontend.catalog.warnings(), frontend.http_json.warnings()].concat();
        self.status.send_replace(Status::Serving(Arc::new(Serving { listen, services, routes, warnings })));
        self.consume(&frontend).await;
    }

    /// Starts the consumers of a contract, unless they are at work.
    async fn consume(&mut self, frontend: &Frontend) {
        if self.open.consumers.as_ref().is_some_and(|consumers| consumers.are_of(&frontend.catalog)) {
            return;
        }
        self.stop_consumers().await;
        let consumers = Eventing::start(&self.eventing, &frontend.catalog, &frontend.router);
        self.management.dead_letters.store(Some(Arc::clone(consumers.dead_letters())));
        self.open.consumers = Some(consumers);
    }

    async fn stop_consumers(&mut self) {
        self.management.dead_letters.store(None);
        if let Some(consumers) = self.open.consumers.take() {
            consumers.shutdown().await;
        }
    }

    async fn listen(&self) -> io::Result<Listener> {
        let tcp: TcpListener = Listener::bind(self.settings.listen).await?;
        let frontend = Arc::clone(&self.frontend);
        let management = Arc::clone(&self.management);
        let cors = Cors::new(&self.settings.cors_origins);
        Listener::serve(tcp, self.settings.max_streams_per_connection, move |request| {
            let frontend = frontend.load_full();
            let management = Arc::clone(&management);
            let cors = cors.clone();
            async move {
                let serve = async |request| match &frontend {
                    Some(frontend) => frontend.serve(request).await,
                    None => serve_without_contract(&management, request).await,
                };
                cors.serve(request, serve).await
            }
        })
    }
}

fn or_unnamed(name: &str) -> &str {
    if name.is_empty() { "(unnamed)" } else { name }
}

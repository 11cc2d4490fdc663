use std::sync::Arc;

use cloudstate_proto::entity_discovery_server::EntityDiscovery;
use cloudstate_proto::{EntitySpec, ProxyInfo, UserFunctionError};
use tonic::{Request, Response, Status, async_trait};

use super::extensions::{Agreements, agree};
use crate::discovery::judge;

/// Told what a proxy reports.
pub(crate) type ErrorListener = Arc<dyn Fn(&str) + Send + Sync>;

/// Answers what was computed at start: any number of proxies may ask, any number of times.
pub(super) struct Discovery {
    pub(super) spec: EntitySpec,
    pub(super) agreements: Arc<Agreements>,
    pub(super) on_proxy_error: Option<ErrorListener>,
}

#[async_trait]
impl EntityDiscovery for Discovery {
    async fn discover(&self, request: Request<ProxyInfo>) -> Result<Response<EntitySpec>, Status> {
        judge(request.get_ref(), &self.spec.entities);
        let peer = request.remote_addr().map(|address| address.ip());
        let mut response = Response::new(self.spec.clone());
        self.agreements.discovered(peer, request.metadata());
        agree(request.metadata(), response.metadata_mut());
        Ok(response)
    }

    async fn report_error(&self, request: Request<UserFunctionError>) -> Result<Response<()>, Status> {
        let message = request.into_inner().message;
        tracing::error!(target: "cloudstate::proxy", "the proxy reports: {message}");
        if let Some(listener) = &self.on_proxy_error {
            // The proxy is always thanked, whatever the listener does.
            if let Err(fault) =
                crate::fault::contain(0, "listening to the proxy's report", || listener(&message))
            {
                fault.log();
            }
        }
        Ok(Response::new(()))
    }
}

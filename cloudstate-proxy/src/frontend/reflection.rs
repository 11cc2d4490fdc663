//! Server reflection, `grpc.reflection.v1alpha` and `grpc.reflection.v1`: which services there are, and the files
//! that describe them.
//!
//! The messages of both versions are the same on the wire, so one service answers for both. As with the reference
//! proxy the list names v1alpha and not v1, and looking for a file that is not there is answered with no file.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::sync::watch;
use tonic::{
    Code, Status, Streaming,
    body::Body,
    server::{Grpc, StreamingService},
};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::{
    v1::{
        self, ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
        ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    v1alpha,
};

use super::{
    due::BodyError,
    grpc::{self, unreadable},
};
use crate::{routing::Subject, schema::FileIndex, service_catalog::ServiceCatalog};

/// The service that the list of services names.
pub(super) const V1_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";
/// The same under its newer name.
pub(super) const V1: &str = "grpc.reflection.v1.ServerReflection";
/// More than any name of a symbol or file needs.
const MAX_REQUEST_SIZE: usize = 64 * 1024;

/// What reflection knows of a contract.
#[derive(Debug)]
pub(crate) struct Reflection {
    services: Vec<ServiceResponse>,
    files: FileIndex,
}

impl Reflection {
    pub(crate) fn new(catalog: &ServiceCatalog) -> Self {
        let mut names: Vec<String> = catalog.services().map(|service| service.name.to_string()).collect();
        names.sort_unstable();
        let names = [V1_ALPHA.to_owned()].into_iter().chain(names);
        let files = FileIndex::new([
            catalog.descriptors().as_ref(),
            v1alpha::FILE_DESCRIPTOR_SET,
            v1::FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
        ]);
        Self { services: names.map(|name| ServiceResponse { name }).collect(), files }
    }

    /// Whether `path` is that of reflection's only rpc.
    pub(super) fn is_at(path: &str) -> bool {
        let service = path.strip_prefix('/').and_then(|path| path.strip_suffix("/ServerReflectionInfo"));
        matches!(service, Some(V1_ALPHA | V1))
    }

    /// Answers one request after the other until the client has no more, or the proxy stops.
    pub(super) async fn serve<B>(
        self: &Arc<Self>,
        request: Request<B>,
        stopping: watch::Receiver<bool>,
    ) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let service = if request.uri().path().contains(V1) { V1 } else { V1_ALPHA };
        let conversation = Conversation { service, reflection: Arc::clone(self), stopping };
        let mut response = Grpc::new(ProstCodec::default())
            .max_decoding_message_size(MAX_REQUEST_SIZE)
            .streaming(conversation, unreadable::readable(request))
            .await;
        unreadable::explain(&mut response, subject(service));
        response
    }

    fn answer(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
        let response = match &request.message_request {
            Some(MessageRequest::ListServices(_)) => {
                MessageResponse::ListServicesResponse(ListServiceResponse { service: self.services.clone() })
            }
            Some(MessageRequest::FileByFilename(name)) => file(self.files.file(name)),
            Some(MessageRequest::FileContainingSymbol(symbol)) => {
                file(self.files.file_with_symbol(symbol.trim_start_matches('.')))
            }
            Some(MessageRequest::FileContainingExtension(extension)) => {
                let message = extension.containing_type.trim_start_matches('.');
                file(self.files.file_with_extension(message, extension.extension_number))
            }
            Some(MessageRequest::AllExtensionNumbersOfType(message)) => self.extension_numbers(message),
            None => error(Code::InvalidArgument, "the request asks nothing".to_owned()),
        };
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: Some(response),
        }
    }

    fn extension_numbers(&self, message: &str) -> MessageResponse {
        let base_type_name = message.trim_start_matches('.').to_owned();
        if self.files.file_with_symbol(&base_type_name).is_none() {
            return error(Code::NotFound, format!("there is no message {base_type_name:.200}"));
        }
        let extension_number = self.files.extension_numbers(&base_type_name);
        MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
            base_type_name,
            extension_number,
        })
    }
}

fn file(found: Option<&bytes::Bytes>) -> MessageResponse {
    let file_descriptor_proto = found.into_iter().map(|file| file.to_vec()).collect();
    MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto })
}

fn error(code: Code, error_message: String) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse { error_code: code as i32, error_message })
}

fn subject(service: &str) -> Subject<'_> {
    Subject { service, method: "ServerReflectionInfo", entity_id: None }
}

/// One stream of a client.
struct Conversation {
    /// The version that it speaks.
    service: &'static str,
    reflection: Arc<Reflection>,
    stopping: watch::Receiver<bool>,
}

type Responses = Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

impl StreamingService<ServerReflectionRequest> for Conversation {
    type Response = ServerReflectionResponse;
    type ResponseStream = Responses;
    type Future = std::future::Ready<Result<tonic::Response<Responses>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<ServerReflectionRequest>>) -> Self::Future {
        let reflection = Arc::clone(&self.reflection);
        let mut stopping = self.stopping.clone();
        let stopped = async move {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let service = self.service;
        let broken = move |status| {
            let failure = unreadable::failure(&status);
            grpc::status(failure.explained(Some(subject(service))))
        };
        let responses = request
            .into_inner()
            .map(move |request| request.map(|request| reflection.answer(request)).map_err(broken))
            .take_until(Box::pin(stopped));
        std::future::ready(Ok(tonic::Response::new(Box::pin(responses))))
    }
}

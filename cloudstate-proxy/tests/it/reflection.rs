//! Server reflection: what is listed, found, and not found.

use cloudstate_proto::EntitySpec;
use prost::Message;
use prost_types::FileDescriptorProto;
use tokio_stream::StreamExt;
use tonic::{Code, Status, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ExtensionRequest, FileDescriptorResponse, ServerReflectionRequest, ServerReflectionResponse,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::{
    contract,
    hosted::{channel, host},
    user_function::{UserFunction, soon},
};

const V1_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";
const V1: &str = "grpc.reflection.v1.ServerReflection";

/// Services out of their order, a nested message and enum, and a file of its own for some of it.
const SHELVES: &str = r#"
    syntax = "proto3";
    package shelves;
    import "cloudstate/entity_key.proto";
    import "books.proto";
    message Shelf {
        string id = 1 [(.cloudstate.entity_key) = true];
        message Board { enum Wood { OAK = 0; PINE = 1; } Wood wood = 1; }
        oneof top { Board board = 2; books.Book book = 3; }
    }
    service Zeta { rpc Fill(Shelf) returns (books.Book); }
    service Alpha { rpc Empty(Shelf) returns (books.Book); }
"#;
const BOOKS: &str = r#"syntax = "proto3"; package books; message Book { string title = 1; }"#;

fn function() -> UserFunction {
    UserFunction::with_spec(EntitySpec {
        proto: descriptor_set().into(),
        entities: ["shelves.Zeta", "shelves.Alpha"].map(contract::entity).into(),
        ..contract::spec()
    })
}

fn descriptor_set() -> Vec<u8> {
    contract::compile(&[("shelves.proto", SHELVES), ("books.proto", BOOKS)])
}

/// One stream of reflection, all requests sent at once, half-closed, read to its end.
async fn ask(
    channel: Channel,
    service: &str,
    questions: Vec<MessageRequest>,
) -> Result<Vec<ServerReflectionResponse>, Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::try_from(format!("/{service}/ServerReflectionInfo")).unwrap();
    let requests = questions.into_iter().map(request);
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let call = grpc.streaming(tonic::Request::new(tokio_stream::iter(requests)), path, codec);
    let answers = soon("reflection's headers", call).await?.into_inner();
    soon("reflection's end", answers.collect::<Result<Vec<_>, _>>()).await
}

fn request(question: MessageRequest) -> ServerReflectionRequest {
    ServerReflectionRequest { host: "the-host".to_owned(), message_request: Some(question) }
}

fn names_of_files(answer: &MessageResponse) -> Vec<String> {
    let MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto }) = answer
    else {
        panic!("{answer:?}");
    };
    let files = file_descriptor_proto.iter();
    files.map(|file| FileDescriptorProto::decode(&file[..]).unwrap().name().to_owned()).collect()
}

#[tokio::test]
async fn lists_v1alpha_and_then_the_services_by_name_whatever_is_asked() {
    let function = function();
    let (proxy, _client) = host(&function).await;
    let channel = channel(&proxy).await;
    for service in [V1_ALPHA, V1] {
        let questions = ["", "nonsense"].map(|text| MessageRequest::ListServices(text.to_owned()));
        let answers = ask(channel.clone(), service, questions.to_vec()).await.unwrap();
        assert_eq!(answers.len(), 2);
        for (answer, question) in answers.into_iter().zip(questions) {
            assert_eq!(answer.valid_host, "the-host");
            assert_eq!(answer.original_request, Some(request(question)));
            let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
                panic!("no list");
            };
            let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
            assert_eq!(names, [V1_ALPHA, "shelves.Alpha", "shelves.Zeta"]);
        }
    }
}

#[tokio::test]
async fn finds_files_by_everything_they_define_and_answers_nothing_for_the_rest() {
    let function = function();
    let (proxy, _client) = host(&function).await;
    let channel = channel(&proxy).await;
    let symbol = |name: &str| MessageRequest::FileContainingSymbol(name.to_owned());
    let name = |name: &str| MessageRequest::FileByFilename(name.to_owned());
    let extension = |of: &str, extension_number| {
        let containing_type = of.to_owned();
        MessageRequest::FileContainingExtension(ExtensionRequest { containing_type, extension_number })
    };
    let cases = [
        (symbol("shelves.Alpha"), Some("shelves.proto")),
        (symbol("shelves.Zeta.Fill"), Some("shelves.proto")),
        (symbol("shelves.Shelf"), Some("shelves.proto")),
        (symbol(".shelves.Shelf"), Some("shelves.proto")),
        (symbol("shelves.Shelf.Board"), Some("shelves.proto")),
        (symbol("shelves.Shelf.Board.Wood"), Some("shelves.proto")),
        (symbol("shelves.Shelf.Board.PINE"), Some("shelves.proto")),
        (symbol("shelves.Shelf.top"), Some("shelves.proto")),
        (symbol("books.Book"), Some("books.proto")),
        (symbol("books.Book.title"), Some("books.proto")),
        (symbol("cloudstate.entity_key"), Some("cloudstate/entity_key.proto")),
        (symbol("google.protobuf.FieldOptions"), Some("google/protobuf/descriptor.proto")),
        (symbol("grpc.health.v1.Health"), Some("health.proto")),
        (symbol(V1), Some("reflection_v1.proto")),
        (symbol(V1_ALPHA), Some("reflection_v1alpha.proto")),
        (symbol("unknown.unknown"), None),
        (symbol(""), None),
        (symbol("shelves"), None),
        (symbol("shelves.Shelf.Board.Wood.PINE"), None),
        (name("books.proto"), Some("books.proto")),
        (name("cloudstate/entity_key.proto"), Some("cloudstate/entity_key.proto")),
        (name("unknown.proto"), None),
        (extension("google.protobuf.FieldOptions", 1080), Some("cloudstate/entity_key.proto")),
        (extension("google.protobuf.FieldOptions", 1), None),
        (extension("unknown", 1080), None),
    ];
    let questions = cases.iter().map(|(question, _)| question.clone()).collect();
    let answers = ask(channel, V1_ALPHA, questions).await.unwrap();
    assert_eq!(answers.len(), cases.len());
    for (answer, (question, expected)) in answers.iter().zip(&cases) {
        assert_eq!(answer.original_request, Some(request(question.clone())));
        let found = names_of_files(answer.message_response.as_ref().unwrap());
        assert_eq!(found, expected.iter().copied().collect::<Vec<_>>(), "{question:?}");
    }
}

#[tokio::test]
async fn knows_the_numbers_of_extensions_and_says_what_it_does_not_know() {
    let function = function();
    let (proxy, _client) = host(&function).await;
    let channel = channel(&proxy).await;
    let numbers = |of: &str| MessageRequest::AllExtensionNumbersOfType(of.to_owned());
    let questions = vec![numbers("google.protobuf.FieldOptions"), numbers("books.Book"), numbers("unknown")];
    let answers = ask(channel, V1, questions).await.unwrap();
    let mut answers = answers.into_iter().map(|answer| answer.message_response.unwrap());
    for expected in [vec![1080], vec![]] {
        let Some(MessageResponse::AllExtensionNumbersResponse(found)) = answers.next() else {
            panic!("no numbers");
        };
        assert_eq!(found.extension_number, expected);
    }
    let Some(MessageResponse::ErrorResponse(error)) = answers.next() else { panic!("no error") };
    assert_eq!(error.error_code, Code::NotFound as i32);
    assert_eq!(error.error_message, "there is no message unknown");
}

#[tokio::test]
async fn files_are_those_of_the_user_function_byte_for_byte() {
    let function = function();
    let (proxy, _client) = host(&function).await;
    let channel = channel(&proxy).await;
    let question = MessageRequest::FileByFilename("shelves.proto".to_owned());
    let answer = ask(channel, V1_ALPHA, vec![question]).await.unwrap().remove(0);
    let Some(MessageResponse::FileDescriptorResponse(found)) = answer.message_response else {
        panic!("no file");
    };
    let [file] = &found.file_descriptor_proto[..] else { panic!("one file") };
    assert!(descriptor_set().windows(file.len()).any(|window| window == &file[..]));
}

#[tokio::test]
async fn a_stream_ends_when_the_proxy_stops() {
    let function = function();
    let (proxy, _client) = host(&function).await;
    let channel = channel(&proxy).await;
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::try_from(format!("/{V1}/ServerReflectionInfo")).unwrap();
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let never = tokio_stream::pending();
    let call = grpc.streaming(tonic::Request::new(never), path, codec);
    let mut answers = soon("reflection's headers", call).await.unwrap().into_inner();
    let stopped = tokio::spawn(proxy.shutdown());
    assert!(soon("the stream's end", answers.message()).await.unwrap().is_none());
    soon("the proxy's end", stopped).await.unwrap();
}

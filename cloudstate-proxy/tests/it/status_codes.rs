//! The extension `status-code`: a code that the user function chose, if both sides agreed to use it.

use cloudstate_proto::client_action::Action;
use tonic::Code;

use crate::{
    hosted::host,
    user_function::{Out, Setup, UserFunction, acting, failure},
};

/// What the function answered to the extensions header, the number in field 4, what gRPC and HTTP clients see.
const CASES: [(Option<&str>, u32, Code, u16); 14] = [
    (Some("status-code"), 0, Code::Unknown, 500),
    (Some("status-code"), 2, Code::Unknown, 500),
    (Some("status-code"), 3, Code::InvalidArgument, 400),
    (Some("status-code"), 5, Code::NotFound, 404),
    (Some("status-code"), 6, Code::AlreadyExists, 409),
    (Some("status-code"), 8, Code::ResourceExhausted, 429),
    (Some("status-code"), 16, Code::Unauthenticated, 401),
    (Some("other, status-code ,third"), 5, Code::NotFound, 404),
    // Numbers that are no code.
    (Some("status-code"), 17, Code::Unknown, 500),
    (Some("status-code"), u32::MAX, Code::Unknown, 500),
    // Not agreed on: field 4 is not of protocol 0.2.
    (None, 5, Code::Unknown, 500),
    (Some(""), 5, Code::Unknown, 500),
    (Some("status-codes"), 5, Code::Unknown, 500),
    (Some("other"), 5, Code::Unknown, 500),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_code_reaches_the_client_if_it_was_agreed_on() {
    for (extensions, number, code, http_status) in CASES {
        let mut function = UserFunction::start(Setup { extensions, ..Setup::default() });
        function.serve(move |_, command| {
            let failure = failure(command.id, "not here");
            acting(
                command.id,
                Action::Failure(cloudstate_proto::Failure { grpc_status_code: number, ..failure }),
            )
        });
        let (_proxy, client) = host(&function).await;
        let answer = client.act("e1", "").await;
        assert_eq!(answer.failure(), (code, "not here"), "{extensions:?} {number}");
        let page = client.get("/things/e1").await;
        assert_eq!((page.status.as_u16(), page.text()), (http_status, "not here"), "{extensions:?} {number}");
        assert_eq!(page.headers.get("content-type").unwrap(), "text/plain; charset=UTF-8");
    }
}

/// The failure of a whole stream, when it names the outstanding command.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_failure_may_carry_a_code_too() {
    for (extensions, code) in [(Some("status-code"), Code::NotFound), (None, Code::Unknown)] {
        let mut function = UserFunction::start(Setup { extensions, ..Setup::default() });
        let (_proxy, client) = host(&function).await;
        let call = tokio::spawn(async move { client.act("e1", "").await });
        let (mut stream, _) = function.activation().await;
        stream.command().await;
        stream.send(Out::Failure(cloudstate_proto::Failure { grpc_status_code: 5, ..failure(1, "gone") }));
        assert_eq!(call.await.unwrap().failure(), (code, "gone"));
    }
}

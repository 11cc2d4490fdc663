//! The program of the `Dockerfile`: built as written there, it needs no other file and answers a proxy.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use cloudstate_proto::{EntitySpec, ProxyInfo, entity_discovery_client::EntityDiscoveryClient};
use tonic::transport::Endpoint;

const DOCKERFILE: &str = include_str!("../Dockerfile");

#[tokio::test]
async fn program_of_the_image_is_static_and_answers_discovery() {
    let program = build();
    assert_eq!(interpreter(&fs::read(&program).unwrap()), None, "dynamically linked");

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(&program);
    // As in the image, where there is nothing but the program.
    command.env_clear().env("HOST", "127.0.0.1").env("PORT", port.to_string());
    let _running = Running(command.spawn().unwrap());
    let spec = discover(port).await;

    let services: Vec<_> = spec.entities.iter().map(|entity| entity.service_name.as_str()).collect();
    assert_eq!(services, ["com.example.shoppingcart.ShoppingCart"]);
}

/// Runs the `cargo build` of the Dockerfile, into a folder of its own.
fn build() -> PathBuf {
    let build = instruction("RUN ", "cargo build");
    let copied = instruction("COPY --from=build ", "/release/");
    let in_target = copied.split_whitespace().next().unwrap().strip_prefix("/build/target/").unwrap();

    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image");
    let status = Command::new("sh")
        .args(["-c", build])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .unwrap();
    assert!(status.success(), "{build}: {status}");
    target.join(in_target)
}

/// What follows `keyword` in the one instruction that contains `part`.
fn instruction(keyword: &str, part: &str) -> &'static str {
    let mut found =
        DOCKERFILE.lines().filter_map(|line| line.strip_prefix(keyword)).filter(|line| line.contains(part));
    let instruction = found.next().unwrap_or_else(|| panic!("no `{keyword}` with `{part}`"));
    assert_eq!(found.next(), None, "a second `{keyword}` with `{part}`");
    instruction
}

/// The path of the dynamic linker that a 64-bit little-endian ELF file asks for.
fn interpreter(elf: &[u8]) -> Option<&[u8]> {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, length: usize| {
        let bytes = &elf[at..at + length];
        usize::try_from(bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
            .unwrap()
    };
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "no 64-bit little-endian ELF file");
    let (offset, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    assert!(count > 0, "no program headers");
    let headers = (0..count).map(|index| offset + index * size);
    let interpreter = headers.into_iter().find(|header| number(*header, 4) == PT_INTERP as usize)?;
    Some(&elf[number(interpreter + 8, 8)..][..number(interpreter + 32, 8)])
}

async fn discover(port: u16) -> EntitySpec {
    let proxy = ProxyInfo {
        protocol_major_version: cloudstate_proto::PROTOCOL_MAJOR_VERSION,
        protocol_minor_version: cloudstate_proto::PROTOCOL_MINOR_VERSION,
        proxy_name: "image-test".to_owned(),
        supported_entity_types: vec![cloudstate_proto::entity_type::EVENT_SOURCED.to_owned()],
        ..ProxyInfo::default()
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
    loop {
        match endpoint.connect().await {
            Ok(channel) => {
                return EntityDiscoveryClient::new(channel).discover(proxy).await.unwrap().into_inner();
            }
            Err(error) => assert!(Instant::now() < deadline, "no answer on port {port}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

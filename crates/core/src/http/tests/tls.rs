use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::server::{Server, answer};
use super::*;
use crate::error::{ErrorKind, Retry};
use crate::http::Request;

/// A server for `127.0.0.1` with a certificate of its own, and that certificate.
async fn server() -> (Server, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    (
        Server::start_tls(acceptor, |_, _| answer(200, "private")).await,
        made.cert.pem(),
    )
}

#[tokio::test]
async fn a_certificate_of_its_own_is_trusted_once_it_is_configured() {
    let (server, certificate) = server().await;
    let (cx, _) = jumping();
    let client = builder(&server)
        .root_certificate(certificate)
        .build()
        .unwrap();
    let response = client.send(&cx, Request::get("cases", "c")).await.unwrap();
    assert_eq!(&response.body[..], b"private");
}

#[tokio::test]
async fn an_unknown_certificate_ends_at_once_with_advice() {
    let (server, _) = server().await;
    let (cx, _) = jumping();
    let error = client(&server)
        .send(&cx, Request::get("cases", "c"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_state()),
        (ErrorKind::Config, Retry::Never)
    );
    assert!(
        error.to_string().contains("certificate is not trusted"),
        "{error}"
    );
    assert!(
        error.advice().unwrap().contains("root certificate"),
        "{error}"
    );
    assert_eq!((server.count(), counted(&cx).requests), (0, 1));
}

#[test]
fn what_is_no_certificate_is_refused_when_the_client_is_built() {
    for pem in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
    ] {
        let error = Client::builder("desk", "https://desk.example.org")
            .root_certificate(pem)
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{pem:?}");
    }
}

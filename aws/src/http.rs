//! One HTTP client for buckets and SDKs: its connections and the certificates that it trusts are there once.

use std::io;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use object_store::ClientOptions;
use object_store::client::{HttpError, HttpErrorKind, HttpService};
use reqwest::redirect::Policy;
use reqwest::{Body, Certificate, Client, ClientBuilder, Request};

/// How long it may take until there is a connection, and until something comes through it.
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(20);

/// A client, or why there is none: a system without certificates.
type Made = LazyLock<Result<Client, String>>;

static CLIENT: Made = LazyLock::new(|| {
    let bundled = bundle().map(|bundle| build(ClientBuilder::new().tls_certs_only(bundle)));
    // A certificate that cannot be used is left out by what reads all of them.
    bundled.and_then(Result::ok).map_or_else(|| build(ClientBuilder::new()), Ok)
});

/// What tells of an instance's or a container's role is on its own link, behind no proxy and without TLS.
static NEAR: Made = LazyLock::new(|| build(ClientBuilder::new().no_proxy().tls_certs_only([])));

fn client(made: &'static Made) -> io::Result<&'static Client> {
    let told = |reason: &String| io::Error::other(format!("there is no HTTP client: {reason}"));
    made.as_ref().map_err(told)
}

/// The certificates that the system trusts, where they stand in one file. Whoever asks the system gets them from there and once more
/// from a directory, which takes twice as long.
fn bundle() -> Option<Vec<Certificate>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "it tells of certificates, as all programs read it"
    )]
    let is_directory_named = std::env::var_os("SSL_CERT_DIR").is_some();
    if !cfg!(target_os = "linux") || is_directory_named {
        return None;
    }
    let bundle = std::fs::read(openssl_probe::probe().cert_file?).ok()?;
    Certificate::from_pem_bundle(&bundle).ok().filter(|bundle| !bundle.is_empty())
}

fn build(builder: ClientBuilder) -> Result<Client, String> {
    super::use_tls();
    let made = builder
        // What is signed is for one host.
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .build();
    made.map_err(|error| super::told(&error))
}

/// Begins to make the client: to read all certificates of a system takes as long as to read a few hundred rules.
pub fn prepare() {
    // Without a thread it is made when it is needed.
    let make = || {
        LazyLock::force(&CLIENT);
    };
    let _ = std::thread::Builder::new().name("certificates".to_owned()).spawn(make);
}

/// The client, for SDKs and for buckets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http;

impl object_store::client::HttpConnector for Http {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<object_store::client::HttpClient> {
        Ok(object_store::client::HttpClient::new(*self))
    }
}

#[async_trait]
impl HttpService for Http {
    async fn call(
        &self,
        request: object_store::client::HttpRequest,
    ) -> Result<object_store::client::HttpResponse, HttpError> {
        match client(&CLIENT) {
            Ok(client) => HttpService::call(client, request).await,
            Err(error) => Err(HttpError::new(HttpErrorKind::Unknown, error)),
        }
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(*self)
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(async move {
            let user = |error: BoxError| ConnectorError::user(error);
            let request = request.try_into_http1x().map_err(|error| user(error.into()))?;
            let request = request.map(|body| match body.bytes().map(<[u8]>::to_vec) {
                Some(bytes) => Body::from(bytes),
                None => Body::wrap(body),
            });
            let request = Request::try_from(request).map_err(|error| user(error.into()))?;
            let made = if is_near(request.url().host_str()) { &NEAR } else { &CLIENT };
            let client = client(made).map_err(|error| user(error.into()))?;
            let response = client.execute(request).await.map_err(failed)?;
            let response = http::Response::<Body>::from(response).map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn failed(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

/// Is it one of the link's own services?
fn is_near(host: Option<&str>) -> bool {
    let host = host.unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        // What instances and pods ask over IPv6: fd00:ec2::254 and fd00:ec2::23.
        Ok(IpAddr::V6(address)) => address.segments()[..7] == [0xfd00, 0x0ec2, 0, 0, 0, 0, 0],
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_asked_for_on_the_own_link() {
        for near in ["169.254.169.254", "169.254.170.2", "[fd00:ec2::254]"] {
            assert!(is_near(Some(near)), "{near}");
        }
        for far in ["s3.eu-central-1.amazonaws.com", "10.0.0.1", "[fd00:ec3::1]", "localhost"] {
            assert!(!is_near(Some(far)), "{far}");
        }
        assert!(!is_near(None));
    }
}

//! The one way to AWS: what SDKs and buckets need to know of credentials, regions and endpoints.
//!
//! Credentials are those of the SDKs' own chain: the environment, profiles, IAM Identity Center, web identity, the
//! container's and the instance's. `AWS_ENDPOINT_URL` leads elsewhere.

mod http;

use std::error::Error;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_types::error::ErrorMetadata;
use object_store::aws::{AmazonS3Builder, AwsCredential, Checksum, S3ConditionalPut};
use object_store::client::CredentialProvider;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};
use tokio::runtime::Runtime;

pub use self::http::prepare;

/// The runtime on which everything waits. Connections live on the one that they were made on, so there is one.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("the operating system gives threads")
    })
}

/// What the SDKs' clients are made from, loaded once.
pub fn config() -> &'static SdkConfig {
    static CONFIG: OnceLock<SdkConfig> = OnceLock::new();
    CONFIG.get_or_init(|| {
        // Without it a service that says nothing is waited for without end.
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(30)).build();
        let load = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http::Http)
            .timeout_config(timeouts)
            .load();
        runtime().block_on(load)
    })
}

/// Waits.
pub fn pause(time: Duration) {
    runtime().block_on(async { tokio::time::sleep(time).await });
}

/// What an SDK says of an error, for people: the service's code and message, or the causes of what kept it from answering. The SDKs' own
/// text ends in a dump of request and answer.
pub fn told(error: &(dyn Error + 'static)) -> String {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(meta) = cause.downcast_ref::<ErrorMetadata>()
            && let Some(code) = meta.code()
        {
            return meta
                .message()
                .map_or_else(|| code.to_owned(), |text| format!("{code}: {text}"));
        }
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    causes.join(": ")
}

/// The credentials of a role, assumed when they are needed.
pub fn assume(role_arn: &str, session_name: &str) -> SharedCredentialsProvider {
    let role = AssumeRoleProvider::builder(role_arn).configure(config()).session_name(session_name);
    SharedCredentialsProvider::new(runtime().block_on(role.build()))
}

/// A region for services that want one named.
pub fn region() -> Region {
    config().region().cloned().unwrap_or_else(|| Region::from_static("us-east-1"))
}

/// `s3://bucket/prefix`, taken apart; the prefix without slashes at its ends.
pub fn s3_uri(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then(|| (bucket, prefix.trim_matches('/')))
}

/// Tells which cryptography TLS uses; to be called before a client is made that does not say itself.
pub fn use_tls() {
    // It is told once for the process; another may have told the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A bucket, or what lies below a prefix of it.
pub fn bucket(bucket: &str, prefix: &str) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    use_tls();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region().as_ref())
        .with_http_connector(http::Http)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // A bucket with a default retention takes nothing without one.
        .with_checksum_algorithm(Checksum::SHA256)
        .with_retry(RetryConfig {
            max_retries: 5,
            retry_timeout: Duration::from_mins(1),
            ..RetryConfig::default()
        });
    if let Some(provider) = config().credentials_provider() {
        builder = builder.with_credentials(Arc::new(Chain::new(provider)));
    }
    if let Some(endpoint) = config().endpoint_url() {
        builder = builder
            .with_endpoint(endpoint)
            .with_allow_http(endpoint.starts_with("http://"))
            .with_virtual_hosted_style_request(false);
    }
    let store = builder.build()?;
    Ok(if prefix.is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, Path::parse(prefix)?))
    })
}

/// The SDKs' chain, for the object store's own signing.
#[derive(Debug)]
struct Chain {
    provider: SharedCredentialsProvider,
    known: Mutex<Option<(Arc<AwsCredential>, Option<SystemTime>)>>,
}

/// Credentials are renewed so long before their end.
const RENEW: Duration = Duration::from_mins(5);

impl Chain {
    fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, known: Mutex::new(None) }
    }

    fn known(&self) -> Option<Arc<AwsCredential>> {
        #[expect(clippy::disallowed_methods, reason = "credentials end by the clock")]
        let now = SystemTime::now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (credential, until) = known.as_ref()?;
        let is_fresh = until.is_none_or(|until| now + RENEW < until);
        is_fresh.then(|| Arc::clone(credential))
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let found = self.provider.provide_credentials().await.map_err(|error| {
            object_store::Error::Generic { store: "S3", source: Box::new(error) }
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Arc::clone(&credential), found.expiry()));
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_bucket_and_a_prefix() {
        assert_eq!(s3_uri("s3://b"), Some(("b", "")));
        assert_eq!(s3_uri("s3://b/"), Some(("b", "")));
        assert_eq!(s3_uri("s3://b/a/c/"), Some(("b", "a/c")));
        assert_eq!(s3_uri("s3:///a"), None);
        assert_eq!(s3_uri("./b"), None);
    }

    #[test]
    fn an_error_is_told_by_its_code_and_message() {
        #[derive(Debug, thiserror::Error)]
        #[error("service error")]
        struct Outer(#[source] ErrorMetadata);
        let meta = ErrorMetadata::builder().code("NoSuchBucket").message("There is none").build();
        assert_eq!(told(&Outer(meta)), "NoSuchBucket: There is none");
        assert_eq!(told(&std::io::Error::other("no way")), "no way");
    }
}

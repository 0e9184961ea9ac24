//! A web hook of one's own, signed.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use sha2::Sha256;

use super::{Receipt, Sink, SinkError};
use crate::alert::{Alert, Form, body};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects that are followed, on the same host.
const REDIRECTS: usize = 3;

pub(super) struct Webhook {
    client: Client,
    url: Url,
    secret: Vec<u8>,
    form: Form,
}

impl Webhook {
    pub(super) fn open(url: &str, secret: &str, form: Form) -> Result<Self, SinkError> {
        let failed = |error: &dyn std::fmt::Display| SinkError(format!("{url}: {error}"));
        let url = Url::parse(url).map_err(|error| failed(&error))?;
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err(SinkError(format!("{url}: only https, or http to this machine")));
        }
        aws::use_tls();
        let (scheme, host, port) = (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.port_or_known_default(),
        );
        // What an alert tells is for this host, and for no other that it points to.
        let policy = Policy::custom(move |attempt| {
            let to = attempt.url();
            let same = to.scheme() == scheme
                && to.host_str().map(str::to_owned) == host
                && to.port_or_known_default() == port;
            if !same {
                attempt.error("a redirect to another host")
            } else if attempt.previous().len() > REDIRECTS {
                attempt.error("too many redirects")
            } else {
                attempt.follow()
            }
        });
        let client = Client::builder().timeout(TIMEOUT).redirect(policy).build();
        let client = client.map_err(|error| SinkError(error.to_string()))?;
        Ok(Self { client, url, secret: secret.as_bytes().to_vec(), form })
    }
}

/// `t=<seconds>,v1=<HMAC-SHA256 of "<seconds>.<body>", hexadecimal>`
fn signature(secret: &[u8], now: Timestamp, body: &str) -> String {
    let seconds = now.as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length will do");
    mac.update(format!("{seconds}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={}", hex.concat())
}

impl Sink for Webhook {
    fn send(&self, alert: &Alert, now: Timestamp) -> Result<Receipt, SinkError> {
        let body = body(alert, self.form);
        let kind =
            if self.form == Form::Text { "text/plain; charset=utf-8" } else { "application/json" };
        let post = self
            .client
            .post(self.url.clone())
            .header("content-type", kind)
            .header("user-agent", concat!("ssm-audit/", env!("CARGO_PKG_VERSION")))
            // A second try of the same is the same: the receiver may leave it out.
            .header("x-ssm-audit-id", format!("{}.{}", alert.alert_id, alert.number))
            .header("x-ssm-audit-signature", signature(&self.secret, now, &body))
            .body(body);
        let answer = aws::runtime().block_on(async { post.send().await }).map_err(|error| {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
                error.source()
            });
            // The address may hold a token.
            let causes: Vec<String> = causes.skip(1).map(ToString::to_string).collect();
            SinkError(format!("no answer: {}", causes.join(": ")))
        })?;
        let status = answer.status();
        if status.is_success() {
            Ok(Receipt::default())
        } else {
            Err(SinkError(format!("it answers {status}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_the_time_and_the_body() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        assert_eq!(
            signature(b"key", now, "{}"),
            "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
        );
    }

    #[test]
    fn only_https_leaves_the_machine() {
        assert!(Webhook::open("http://example.com/hook", "s", Form::Json).is_err());
        assert!(Webhook::open("https://example.com/hook", "s", Form::Json).is_ok());
        assert!(Webhook::open("http://127.0.0.1:9/hook", "s", Form::Json).is_ok());
        assert!(Webhook::open("ftp://example.com", "s", Form::Json).is_err());
    }
}

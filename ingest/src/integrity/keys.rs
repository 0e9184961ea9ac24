//! The public keys of CloudTrail, found by their fingerprints.
//!
//! `ListPublicKeys` gives a key as DER: mostly an `RSAPublicKey` (PKCS#1), sometimes a `SubjectPublicKeyInfo`
//! around one; the fingerprint is the MD5 of these bytes (FORMATS B6). MD5 only looks a key up here: what a
//! signature is worth depends on who handed in the keys.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde::Deserialize;
use spki::der::asn1::{AnyRef, BitStringRef, UintRef};
use spki::der::{Decode, Encode};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::digest::hex;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A key that signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The key as PKCS#1, which is what RSA code wants.
    pub pkcs1: Vec<u8>,
    /// From when CloudTrail signs with it, where the source says so.
    pub from: Option<Timestamp>,
    /// Until when.
    pub to: Option<Timestamp>,
}

/// Keys by fingerprint.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys(BTreeMap<String, PublicKey>);

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// The text of a key is not base64.
    #[error("not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Neither of the two encodings.
    #[error("neither an RSAPublicKey nor a SubjectPublicKeyInfo in DER: {0}")]
    Der(spki::der::Error),
    /// A key of another kind.
    #[error("not an RSA key, but of algorithm {0}")]
    Algorithm(ObjectIdentifier),
    /// The source names another fingerprint than the key has.
    #[error("its fingerprint is given as `{given}`, and is `{computed}`")]
    Fingerprint {
        /// By the source.
        given: String,
        /// From the bytes.
        computed: String,
    },
}

/// What is wrong with a file of keys.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    /// Not the output of `aws cloudtrail list-public-keys`.
    #[error("not the output of `aws cloudtrail list-public-keys`: {0}")]
    Json(#[from] serde_json::Error),
    /// One of the keys.
    #[error("key {number}: {source}")]
    Key {
        /// Which, counted from 1.
        number: usize,
        /// What is wrong.
        source: BadKey,
    },
    /// A PEM block without an end.
    #[error("PEM: a block is not closed")]
    Unclosed,
    /// No key at all.
    #[error("no public key in it")]
    Empty,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    public_key_list: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    value: String,
    fingerprint: Option<String>,
    validity_start_time: Option<Time>,
    validity_end_time: Option<Time>,
}

/// Version 2 of the AWS CLI writes times as text, version 1 as seconds.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Text(String),
    Seconds(f64),
}

impl Time {
    fn read(&self) -> Option<Timestamp> {
        match self {
            Self::Text(text) => text.parse().ok(),
            #[expect(clippy::cast_possible_truncation, reason = "whole seconds are enough")]
            Self::Seconds(seconds) => Timestamp::from_second(*seconds as i64).ok(),
        }
    }
}

impl PublicKeys {
    /// Reads a file of keys in any of the forms, told apart by how it begins.
    pub fn read(bytes: &[u8]) -> Result<Self, BadKeys> {
        if bytes.trim_ascii_start().starts_with(b"{") {
            return Self::from_json(bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN ") => Self::from_pem(text),
            _ => Self::from_der(bytes),
        }
    }

    /// The output of `aws cloudtrail list-public-keys`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BadKeys> {
        let listing: Listing = serde_json::from_slice(bytes)?;
        let mut keys = Self::default();
        for (at, listed) in listing.public_key_list.iter().enumerate() {
            let time = |time: &Option<Time>| time.as_ref().and_then(Time::read);
            let (from, to) = (time(&listed.validity_start_time), time(&listed.validity_end_time));
            STANDARD
                .decode(&listed.value)
                .map_err(BadKey::from)
                .and_then(|der| keys.add(&der, listed.fingerprint.as_deref(), from, to))
                .map_err(|source| BadKeys::Key { number: at + 1, source })?;
        }
        keys.some()
    }

    /// `PUBLIC KEY` and `RSA PUBLIC KEY` blocks; others are passed over.
    pub fn from_pem(text: &str) -> Result<Self, BadKeys> {
        let (mut keys, mut number) = (Self::default(), 0);
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            let Some(label) = line.strip_prefix("-----BEGIN ") else { continue };
            let (mut body, mut closed) = (String::new(), false);
            for line in lines.by_ref() {
                if line.starts_with("-----END ") {
                    closed = true;
                    break;
                }
                body.push_str(line);
            }
            if !closed {
                return Err(BadKeys::Unclosed);
            }
            if matches!(label, "PUBLIC KEY-----" | "RSA PUBLIC KEY-----") {
                number += 1;
                STANDARD
                    .decode(&body)
                    .map_err(BadKey::from)
                    .and_then(|der| keys.add(&der, None, None, None))
                    .map_err(|source| BadKeys::Key { number, source })?;
            }
        }
        keys.some()
    }

    /// One key as DER.
    pub fn from_der(bytes: &[u8]) -> Result<Self, BadKeys> {
        let mut keys = Self::default();
        keys.add(bytes, None, None, None).map_err(|source| BadKeys::Key { number: 1, source })?;
        keys.some()
    }

    /// Adds a key in either encoding, as `ListPublicKeys` gives it.
    ///
    /// It is found under the fingerprints of both: tools such as openssl wrap a PKCS#1 key when they write it
    /// as PEM, and the digest names the fingerprint of what it was before.
    pub fn add(
        &mut self,
        der: &[u8],
        fingerprint: Option<&str>,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<(), BadKey> {
        let pkcs1 = pkcs1(der)?;
        if let Some(given) = fingerprint {
            let computed = fingerprint_of(der);
            if !given.eq_ignore_ascii_case(&computed) {
                return Err(BadKey::Fingerprint { given: given.to_owned(), computed });
            }
        }
        let wrapped = wrap(&pkcs1).map_err(BadKey::Der)?;
        let key = PublicKey { pkcs1, from, to };
        for fingerprint in [der, &key.pkcs1, &wrapped].map(fingerprint_of) {
            self.0.insert(fingerprint, key.clone());
        }
        Ok(())
    }

    /// The key with this fingerprint.
    pub fn get(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.0.get(&fingerprint.to_ascii_lowercase())
    }

    fn some(self) -> Result<Self, BadKeys> {
        if self.0.is_empty() { Err(BadKeys::Empty) } else { Ok(self) }
    }
}

fn fingerprint_of(der: &[u8]) -> String {
    hex(&Md5::digest(der))
}

/// The PKCS#1 form of a key in either encoding. A `SubjectPublicKeyInfo` begins with a sequence, where an
/// `RSAPublicKey` has a number: neither can be taken for the other.
fn pkcs1(der: &[u8]) -> Result<Vec<u8>, BadKey> {
    let inner = match SubjectPublicKeyInfoRef::try_from(der) {
        Ok(info) if info.algorithm.oid != RSA => {
            return Err(BadKey::Algorithm(info.algorithm.oid));
        }
        Ok(info) => info.subject_public_key.as_bytes().unwrap_or_default(),
        Err(_) => der,
    };
    AnyRef::from_der(inner)
        .and_then(|key| {
            key.sequence(|numbers| {
                UintRef::decode(numbers)?;
                UintRef::decode(numbers)
            })
        })
        .map_err(BadKey::Der)?;
    Ok(inner.to_vec())
}

fn wrap(pkcs1: &[u8]) -> Result<Vec<u8>, spki::der::Error> {
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::NULL) },
        subject_public_key: BitStringRef::from_bytes(pkcs1)?,
    }
    .to_der()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::fixture;
    use super::*;

    #[test]
    fn keys_in_every_form() {
        for name in ["good", "spki-key"] {
            let listing = fixture(name)["keys"].clone();
            let listed = &listing["PublicKeyList"][0];
            let (value, fingerprint) =
                (listed["Value"].as_str().unwrap(), listed["Fingerprint"].as_str().unwrap());
            let key = PublicKeys::read(listing.to_string().as_bytes())
                .unwrap()
                .get(fingerprint)
                .unwrap()
                .clone();
            assert_eq!(key.from.unwrap().to_string(), "2026-01-01T00:00:00Z");

            let der = PublicKeys::read(&STANDARD.decode(value).unwrap()).unwrap();
            assert_eq!(der.get(fingerprint).unwrap().pkcs1, key.pkcs1);
            let label = if name == "good" { "RSA PUBLIC KEY" } else { "PUBLIC KEY" };
            let pem =
                format!("a comment\n-----BEGIN {label}-----\r\n{value}\r\n-----END {label}-----\n");
            let pem = PublicKeys::read(pem.as_bytes()).unwrap();
            assert_eq!(pem.get(&fingerprint.to_uppercase()).unwrap().pkcs1, key.pkcs1);

            let mut seconds = listing.clone();
            seconds["PublicKeyList"][0]["ValidityStartTime"] = 1_434_040_080.0.into();
            let seconds = PublicKeys::read(seconds.to_string().as_bytes()).unwrap();
            let from = seconds.get(fingerprint).unwrap().from.unwrap();
            assert_eq!(from.to_string(), "2015-06-11T16:28:00Z");
        }
        // Its PKCS#1 key wrapped, as openssl writes it, is found under the fingerprint that the digests name.
        let fixture = fixture("good");
        let listed = &fixture["keys"]["PublicKeyList"][0];
        let pkcs1 = STANDARD.decode(listed["Value"].as_str().unwrap()).unwrap();
        let head = STANDARD.decode("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A").unwrap();
        let wrapped = PublicKeys::from_der(&[head, pkcs1].concat()).unwrap();
        assert!(wrapped.get(listed["Fingerprint"].as_str().unwrap()).is_some());
    }

    #[test]
    fn bad_keys_are_refused_with_a_reason() {
        let listing = |change: fn(&mut Value)| {
            let mut listing = fixture("good")["keys"].clone();
            change(&mut listing["PublicKeyList"][0]);
            PublicKeys::read(listing.to_string().as_bytes()).unwrap_err().to_string()
        };
        let error = listing(|key| key["Fingerprint"] = "31e8b5433410dfb61a9dc45cc65b22ff".into());
        assert!(error.starts_with("key 1: its fingerprint is given as `31e8b54334"), "{error}");
        assert!(listing(|key| key["Value"] = "%".into()).starts_with("key 1: not base64"));
        assert!(listing(|key| key["Value"] = "AAAA".into()).starts_with("key 1: neither"));
        // An elliptic key, wrapped.
        let elliptic = format!("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE{}==", "A".repeat(86));
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{elliptic}\n-----END PUBLIC KEY-----");
        let error = PublicKeys::read(pem.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "key 1: not an RSA key, but of algorithm 1.2.840.10045.2.1");
        for (bytes, begins) in [
            (&b"{}"[..], "not the output of"),
            (b"{\"PublicKeyList\":[]}", "no public key"),
            (b"", "key 1: neither"),
            (b"-----BEGIN PUBLIC KEY-----\nAAAA", "PEM: a block is not closed"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "no public key"),
        ] {
            let error = PublicKeys::read(bytes).unwrap_err().to_string();
            assert!(error.starts_with(begins), "{error}");
        }
    }
}

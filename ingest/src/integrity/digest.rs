//! A digest file: what it says, and whether CloudTrail signed it (FORMATS B6).

use jiff::Timestamp;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::keys::PublicKeys;

/// A SHA-256.
pub type Sum = [u8; 32];

/// The one algorithm: CloudTrail has never signed with another.
const ALGORITHM: &str = "SHA256withRSA";

/// A digest file, read.
#[derive(Clone, Debug)]
pub struct Digest {
    /// `awsAccountId`.
    pub account: String,
    /// `digestStartTime`: files delivered from then on are listed.
    pub start: Timestamp,
    /// `digestEndTime`.
    pub end: Timestamp,
    /// `digestS3Bucket`: where CloudTrail put it.
    pub bucket: String,
    /// `digestS3Object`.
    pub object: String,
    /// `digestPublicKeyFingerprint`.
    pub fingerprint: String,
    /// `digestSignatureAlgorithm`.
    pub algorithm: String,
    /// `newestEventTime`; `None` in an hour without events.
    pub newest_event: Option<Timestamp>,
    /// `oldestEventTime`.
    pub oldest_event: Option<Timestamp>,
    /// The digest before; `None` in the first after logging was started.
    pub previous: Option<Previous>,
    /// `logFiles`.
    pub log_files: Vec<LogFile>,
    /// Of the inflated bytes.
    pub sum: Sum,
    /// `digestEndTime` to the letter, which is what was signed.
    end_text: String,
}

/// What a digest remembers of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// `previousDigestS3Bucket`.
    pub bucket: String,
    /// `previousDigestS3Object`.
    pub object: String,
    /// `previousDigestHashValue`: of the *inflated* bytes. CloudTrail's guide says so ("The hexadecimal encoded
    /// hash value of the uncompressed contents of the previous digest file", Digest file structure); a match
    /// with the compressed object is therefore none.
    pub sum: Sum,
    /// `previousDigestSignature`, in hexadecimal as written.
    pub signature: String,
}

/// A log file that a digest lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// `s3Bucket`.
    pub bucket: String,
    /// `s3Object`.
    pub object: String,
    /// `hashValue`: of the inflated bytes.
    pub sum: Sum,
    /// `newestEventTime`.
    pub newest_event: Option<Timestamp>,
    /// `oldestEventTime`.
    pub oldest_event: Option<Timestamp>,
}

/// Not a digest.
#[derive(Debug, thiserror::Error)]
#[error("`{object}` is not a digest: {flaw}")]
pub struct BadDigest {
    /// Which object.
    pub object: String,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What keeps bytes from being a digest.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A field that has to be there is not.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A field is of another type or form.
    #[error("`{field}` is not {expected}")]
    Form {
        /// Which.
        field: String,
        /// What it has to be.
        expected: &'static str,
    },
}

/// Not CloudTrail's signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The digest names another algorithm.
    #[error(
        "it names the signature algorithm `{0}`; CloudTrail's is SHA256withRSA and no other counts"
    )]
    Algorithm(String),
    /// The key is not among those given.
    #[error(
        "no public key with fingerprint `{0}` is among those given: unless it is CloudTrail's in the digest's \
         region at that time, the digest is forged"
    )]
    UnknownKey(String),
    /// Not hexadecimal.
    #[error("the signature is not hexadecimal")]
    NotHex,
    /// A signature of the same text by the same key, made with SHA-1.
    #[error("it is signed with SHA-1, which can be forged and which CloudTrail does not use")]
    Sha1,
    /// Anything else.
    #[error("the signature does not belong to this content, place and key")]
    Mismatch,
}

impl Digest {
    /// Reads the inflated bytes of the digest at `object`.
    pub fn parse(object: &str, bytes: &[u8]) -> Result<Self, BadDigest> {
        read(bytes).map_err(|flaw| BadDigest { object: object.to_owned(), flaw })
    }

    /// What CloudTrail signs.
    pub fn string_to_sign(&self) -> String {
        let (end, bucket, object) = (&self.end_text, &self.bucket, &self.object);
        let previous = self.previous.as_ref().map_or("null", |previous| &previous.signature);
        format!("{end}\n{bucket}/{object}\n{}\n{previous}", hex(&self.sum))
    }

    /// Is `signature`, in hexadecimal, CloudTrail's for this digest? RSA with PKCS#1 v1.5 and SHA-256 alone:
    /// to take the hash algorithm from the signature, as some do, is to accept SHA-1.
    pub fn check_signature(&self, keys: &PublicKeys, signature: &str) -> Result<(), BadSignature> {
        if self.algorithm != ALGORITHM {
            return Err(BadSignature::Algorithm(self.algorithm.clone()));
        }
        let key = keys
            .get(&self.fingerprint)
            .ok_or_else(|| BadSignature::UnknownKey(self.fingerprint.clone()))?;
        let signature = unhex(signature).ok_or(BadSignature::NotHex)?;
        let text = self.string_to_sign();
        let signed = |with: &'static RsaParameters| {
            UnparsedPublicKey::new(with, &key.pkcs1).verify(text.as_bytes(), &signature).is_ok()
        };
        if signed(&RSA_PKCS1_2048_8192_SHA256) {
            Ok(())
        } else if signed(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY) {
            Err(BadSignature::Sha1)
        } else {
            Err(BadSignature::Mismatch)
        }
    }
}

fn read(bytes: &[u8]) -> Result<Digest, Flaw> {
    let fields: Map<String, Value> = serde_json::from_slice(bytes)?;
    let fields = Fields { within: String::new(), fields: &fields };
    let logs =
        fields.get("logFiles")?.as_array().ok_or_else(|| fields.not("logFiles", "a list"))?;
    Ok(Digest {
        account: fields.text("awsAccountId")?,
        start: fields.time("digestStartTime")?,
        end: fields.time("digestEndTime")?,
        bucket: fields.text("digestS3Bucket")?,
        object: fields.text("digestS3Object")?,
        fingerprint: fields.text("digestPublicKeyFingerprint")?,
        algorithm: fields.text("digestSignatureAlgorithm")?,
        newest_event: fields.some_time("newestEventTime")?,
        oldest_event: fields.some_time("oldestEventTime")?,
        previous: previous(&fields)?,
        log_files: logs.iter().enumerate().map(log_file).collect::<Result<_, _>>()?,
        sum: Sha256::digest(bytes).into(),
        end_text: fields.text("digestEndTime")?,
    })
}

/// All five are null, or none: one that is missing altogether would change what is signed.
fn previous(fields: &Fields<'_>) -> Result<Option<Previous>, Flaw> {
    let signature = fields.get("previousDigestSignature")?;
    let others = ["S3Bucket", "S3Object", "HashValue", "HashAlgorithm"];
    let null = |name: &&str| fields.is_null(&format!("previousDigest{name}"));
    if signature.is_null() && others.iter().all(null) {
        return Ok(None);
    }
    Ok(Some(Previous {
        bucket: fields.text("previousDigestS3Bucket")?,
        object: fields.text("previousDigestS3Object")?,
        sum: fields.sum("previousDigestHashValue", "previousDigestHashAlgorithm")?,
        signature: fields.text("previousDigestSignature")?,
    }))
}

fn log_file((at, value): (usize, &Value)) -> Result<LogFile, Flaw> {
    let within = format!("logFiles[{at}]");
    let Some(fields) = value.as_object() else {
        return Err(Flaw::Form { field: within, expected: "an object" });
    };
    let fields = Fields { within: within + ".", fields };
    Ok(LogFile {
        bucket: fields.text("s3Bucket")?,
        object: fields.text("s3Object")?,
        sum: fields.sum("hashValue", "hashAlgorithm")?,
        newest_event: fields.some_time("newestEventTime")?,
        oldest_event: fields.some_time("oldestEventTime")?,
    })
}

/// The fields of an object, whose errors say where they stand.
struct Fields<'a> {
    within: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn get(&self, field: &str) -> Result<&'a Value, Flaw> {
        let missing = || Flaw::Missing(format!("{}{field}", self.within));
        self.fields.get(field).ok_or_else(missing)
    }

    fn is_null(&self, field: &str) -> bool {
        self.fields.get(field).is_none_or(Value::is_null)
    }

    fn not(&self, field: &str, expected: &'static str) -> Flaw {
        Flaw::Form { field: format!("{}{field}", self.within), expected }
    }

    fn text(&self, field: &str) -> Result<String, Flaw> {
        let text = self.get(field)?.as_str().ok_or_else(|| self.not(field, "text"))?;
        Ok(text.to_owned())
    }

    fn time(&self, field: &str) -> Result<Timestamp, Flaw> {
        self.text(field)?.parse().map_err(|_| self.not(field, "a time"))
    }

    fn some_time(&self, field: &str) -> Result<Option<Timestamp>, Flaw> {
        if self.is_null(field) { Ok(None) } else { self.time(field).map(Some) }
    }

    fn sum(&self, field: &str, algorithm: &str) -> Result<Sum, Flaw> {
        if self.text(algorithm)? != "SHA-256" {
            return Err(self.not(algorithm, "SHA-256"));
        }
        unhex(&self.text(field)?)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| self.not(field, "64 hexadecimal digits"))
    }
}

/// Bytes as lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(half: u8) -> char {
    char::from_digit(u32::from(half), 16).unwrap_or('0')
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let half = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| u8::try_from(half(high)? << 4 | half(low)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample of CloudTrail's guide, shortened.
    fn sample() -> Value {
        serde_json::json!({
            "awsAccountId": "111122223333",
            "digestStartTime": "2015-08-17T14:01:31Z", "digestEndTime": "2015-08-17T15:01:31Z",
            "digestS3Bucket": "b", "digestS3Object": "AWSLogs/k",
            "digestPublicKeyFingerprint": "31e8b5433410dfb61a9dc45cc65b22ff",
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": "2015-08-17T14:52:27Z", "oldestEventTime": null,
            "previousDigestS3Bucket": "b", "previousDigestS3Object": "AWSLogs/j",
            "previousDigestHashValue": "97fb791cf91ffc440d274f8190dbdd9aa09c34432aba82739df18b6d3c13df2d",
            "previousDigestHashAlgorithm": "SHA-256", "previousDigestSignature": "50887ccf",
            "somethingNew": {},
            "logFiles": [{
                "s3Bucket": "b", "s3Object": "AWSLogs/l",
                "hashValue": "9bb6196fc6b84d6f075a56548feca262bd99ba3c2de41b618e5b6e22c1fc71f6",
                "hashAlgorithm": "SHA-256",
                "newestEventTime": "2015-08-17T14:52:27Z", "oldestEventTime": "2015-08-17T14:42:27Z"
            }]
        })
    }

    fn parse(value: &Value) -> Result<Digest, String> {
        Digest::parse("o", value.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_signed() {
        let mut value = sample();
        let digest = parse(&value).unwrap();
        let sum = hex(&Sha256::digest(value.to_string()));
        assert_eq!(
            digest.string_to_sign(),
            format!("2015-08-17T15:01:31Z\nb/AWSLogs/k\n{sum}\n50887ccf")
        );
        for field in ["S3Bucket", "S3Object", "HashValue", "HashAlgorithm", "Signature"] {
            value[format!("previousDigest{field}")] = Value::Null;
        }
        let first = parse(&value).unwrap();
        assert!(first.previous.is_none());
        assert!(first.string_to_sign().ends_with("\nnull"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for field in [
            "awsAccountId",
            "digestStartTime",
            "digestEndTime",
            "digestS3Bucket",
            "digestS3Object",
            "digestPublicKeyFingerprint",
            "digestSignatureAlgorithm",
            "previousDigestSignature",
            "previousDigestS3Object",
            "logFiles",
        ] {
            let mut value = sample();
            value.as_object_mut().unwrap().remove(field);
            assert_eq!(
                parse(&value).unwrap_err(),
                format!("`o` is not a digest: `{field}` is missing")
            );
        }
    }

    #[test]
    fn what_is_of_another_form_is_named() {
        for (pointer, value, reason) in [
            ("/digestEndTime", Value::from("yesterday"), "`digestEndTime` is not a time"),
            ("/digestS3Bucket", Value::from(7), "`digestS3Bucket` is not text"),
            ("/previousDigestSignature", Value::Null, "`previousDigestSignature` is not text"),
            (
                "/previousDigestHashAlgorithm",
                "MD5".into(),
                "`previousDigestHashAlgorithm` is not SHA-256",
            ),
            ("/logFiles", Value::Null, "`logFiles` is not a list"),
            ("/logFiles/0", Value::Null, "`logFiles[0]` is not an object"),
            (
                "/logFiles/0/hashValue",
                Value::from("9bb"),
                "`logFiles[0].hashValue` is not 64 hexadecimal digits",
            ),
        ] {
            let mut sample = sample();
            *sample.pointer_mut(pointer).unwrap() = value;
            assert_eq!(parse(&sample).unwrap_err(), format!("`o` is not a digest: {reason}"));
        }
    }

    #[test]
    fn hexadecimal_there_and_back() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
        assert_eq!(unhex("001FfF").unwrap(), [0, 0x1f, 0xff]);
        for text in ["0", "0g", "é0", "+1", " 1"] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }
}

//! The texts that a CloudTrail record is made out of, and where in it they stand.
//!
//! Where the values of the record's own keys are known to stand, only those are gone over of which something is wanted, and
//! nothing of them is parsed; where they are not, or are written in a way that AWS does not, all of the record is. Most records
//! that are read so become nothing but a part of a correlation that never comes: what they would be made of is kept packed.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use model::json::Cursor;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::time::parse_time;
use super::{BadRecord, Member, Members, RawRecord};

/// What is read of a record: all of it in one pass, the rest is passed over.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Text {
    EventId,
    EventName,
    EventSource,
    EventTime,
    Region,
    Recipient,
    SourceIp,
    UserAgent,
    ErrorCode,
    ErrorMessage,
    Type,
    Arn,
    AccountId,
    PrincipalId,
    UserName,
    AccessKeyId,
    InvokedBy,
    SourceIdentity,
    MfaAuthenticated,
    IssuerArn,
    IssuerName,
    OnBehalfOf,
    Target,
    InstanceId,
    InstanceIdUpper,
    Document,
    Reason,
    SessionAsked,
    SessionOpened,
    SessionOfTask,
    TaskArn,
}

const TEXTS: usize = Text::TaskArn as usize + 1;

/// Members of an object that are read.
struct Wanted {
    texts: &'static [(&'static str, Text)],
    objects: &'static [(&'static str, &'static Wanted)],
}

const RECORD: Wanted = Wanted {
    texts: &[
        ("eventID", Text::EventId),
        ("eventName", Text::EventName),
        ("eventSource", Text::EventSource),
        ("eventTime", Text::EventTime),
        ("awsRegion", Text::Region),
        ("recipientAccountId", Text::Recipient),
        ("sourceIPAddress", Text::SourceIp),
        ("userAgent", Text::UserAgent),
        ("errorCode", Text::ErrorCode),
        ("errorMessage", Text::ErrorMessage),
    ],
    objects: &[
        ("userIdentity", &IDENTITY),
        ("requestParameters", &REQUEST),
        ("responseElements", &RESPONSE),
    ],
};

const IDENTITY: Wanted = Wanted {
    texts: &[
        ("type", Text::Type),
        ("arn", Text::Arn),
        ("accountId", Text::AccountId),
        ("principalId", Text::PrincipalId),
        ("userName", Text::UserName),
        ("accessKeyId", Text::AccessKeyId),
        ("invokedBy", Text::InvokedBy),
    ],
    objects: &[
        (
            "sessionContext",
            &Wanted {
                texts: &[("sourceIdentity", Text::SourceIdentity)],
                objects: &[
                    (
                        "attributes",
                        &Wanted {
                            texts: &[("mfaAuthenticated", Text::MfaAuthenticated)],
                            objects: &[],
                        },
                    ),
                    (
                        "sessionIssuer",
                        &Wanted {
                            texts: &[("arn", Text::IssuerArn), ("userName", Text::IssuerName)],
                            objects: &[],
                        },
                    ),
                ],
            },
        ),
        ("onBehalfOf", &Wanted { texts: &[("userId", Text::OnBehalfOf)], objects: &[] }),
    ],
};

const REQUEST: Wanted = Wanted {
    texts: &[
        ("target", Text::Target),
        ("instanceId", Text::InstanceId),
        ("InstanceId", Text::InstanceIdUpper),
        ("documentName", Text::Document),
        ("reason", Text::Reason),
        ("sessionId", Text::SessionAsked),
    ],
    objects: &[],
};

const RESPONSE: Wanted = Wanted {
    texts: &[("sessionId", Text::SessionOpened), ("taskArn", Text::TaskArn)],
    objects: &[("session", &Wanted { texts: &[("sessionId", Text::SessionOfTask)], objects: &[] })],
};

/// The texts of a record, borrowed where they are written without escapes.
#[derive(Debug)]
pub struct Texts<'a>([Option<Cow<'a, str>>; TEXTS]);

/// The same in one piece of memory, as small as it can be: of each its number, its length and itself.
/// The user agent, which is the longest and which no finding tells, is left out.
#[derive(Clone, Debug)]
pub struct PackedTexts(Arc<[u8]>);

/// A length that is written in one byte; a longer one is written in four behind this one.
const SHORT: u8 = u8::MAX;

impl<'a> Texts<'a> {
    const NONE: Self = Self([const { None }; TEXTS]);

    /// Reads what a decoder tells of. A byte that is no text becomes U+FFFD, as an unpaired surrogate does: nobody hides a record
    /// by it.
    pub fn read(raw: &RawRecord<'a>) -> Result<Self, BadRecord> {
        if let Some(noted) = raw.members.and_then(|members| Self::of_members(raw.bytes, members)) {
            return Ok(noted);
        }
        Self::parse(raw.bytes).or_else(|error| match String::from_utf8_lossy(raw.bytes) {
            Cow::Borrowed(_) => Err(error),
            Cow::Owned(lossy) => Texts::parse(lossy.as_bytes()).map(Texts::into_owned),
        })
    }

    fn into_owned<'o>(self) -> Texts<'o> {
        Texts(self.0.map(|text| text.map(|text| Cow::Owned(text.into_owned()))))
    }

    /// Reads all of a record.
    pub(super) fn parse(record: &'a [u8]) -> Result<Self, BadRecord> {
        let mut texts = Self::NONE;
        let mut json = serde_json::Deserializer::from_slice(record);
        let is_object = ReadObject { members: &RECORD, texts: &mut texts }.deserialize(&mut json);
        match is_object.and_then(|is_object| json.end().map(|()| is_object)) {
            Ok(true) => Ok(texts),
            Ok(false) => Err(BadRecord(serde_json::Error::custom("it is no object"))),
            Err(error) => Err(BadRecord(error)),
        }
    }

    /// The same, where it is known where the values of the record's own keys stand; `None`: it is not, or they are not
    /// written as AWS writes them.
    fn of_members(record: &'a [u8], members: Members<'_>) -> Option<Self> {
        let mut texts = Self::NONE;
        let mut cursor = Cursor::new(record);
        for (name, text) in RECORD.texts {
            match members.find(name) {
                Member::At(start, _) => {
                    cursor.at = start;
                    texts.text(&mut cursor, *text)?;
                }
                Member::Absent => {}
                Member::Unknown => return None,
            }
        }
        for (name, wanted) in RECORD.objects {
            match members.find(name) {
                Member::At(start, _) => {
                    cursor.at = start;
                    texts.of_object(&mut cursor, wanted)?;
                }
                Member::Absent => {}
                Member::Unknown => return None,
            }
        }
        Some(texts)
    }

    /// Goes past a value and notes its text: a string's, or that of a number or a boolean as written. `None`: it is not JSON.
    fn text(&mut self, cursor: &mut Cursor<'a>, at: Text) -> Option<()> {
        self.0[at as usize] = match cursor.peek()? {
            b'"' => {
                let text = cursor.string().ok()?;
                let inner = &cursor.bytes()[text.clone()];
                Some(if cursor.is_escaped {
                    let quoted = &cursor.bytes()[text.start - 1..=text.end];
                    serde_json::from_slice::<Key<'_>>(quoted).ok()?.0
                } else {
                    Cow::Borrowed(std::str::from_utf8(inner).ok()?)
                })
            }
            b'{' | b'[' => {
                cursor.skip().ok()?;
                None
            }
            _ => text(serde_json::from_slice(cursor.word()).ok()?),
        };
        Some(())
    }

    /// Goes past a value; if it is an object, its members are read. `None`: it is not as AWS writes it.
    fn of_object(&mut self, cursor: &mut Cursor<'a>, wanted: &'static Wanted) -> Option<()> {
        if cursor.peek()? != b'{' {
            return cursor.skip().ok();
        }
        self.forget(wanted);
        cursor.at += 1;
        if cursor.take(b'}') {
            return Some(());
        }
        loop {
            if cursor.peek()? != b'"' {
                return None;
            }
            let key = &cursor.bytes()[cursor.string().ok()?];
            if cursor.is_escaped || !cursor.take(b':') {
                return None;
            }
            let is_key = |name: &str| name.as_bytes() == key;
            if let Some((_, text)) = wanted.texts.iter().find(|(name, _)| is_key(name)) {
                self.text(cursor, *text)?;
            } else if let Some((_, wanted)) = wanted.objects.iter().find(|(name, _)| is_key(name)) {
                self.forget(wanted);
                self.of_object(cursor, wanted)?;
            } else {
                cursor.skip().ok()?;
            }
            if !cursor.take(b',') {
                return cursor.take(b'}').then_some(());
            }
        }
    }

    /// Packs them. Of a long one its beginning is kept: there may be a hundred thousand, and whoever is audited has a say in some.
    pub fn pack(&self) -> PackedTexts {
        let kept = || {
            let all = (0_u8..).zip(&self.0);
            let all = all.filter(|(number, _)| *number != Text::UserAgent as u8);
            all.filter_map(|(number, text)| {
                let text = text.as_deref()?;
                Some((number, &text[..text.floor_char_boundary(LONGEST)]))
            })
        };
        let front = |text: &str| if text.len() < usize::from(SHORT) { 2 } else { 6 };
        let size = kept().map(|(_, text)| front(text) + text.len()).sum();
        let mut packed = Vec::with_capacity(size);
        for (number, text) in kept() {
            packed.push(number);
            match u8::try_from(text.len()) {
                Ok(length) if length < SHORT => packed.push(length),
                _ => {
                    packed.push(SHORT);
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                    packed.extend_from_slice(&length.to_le_bytes());
                }
            }
            packed.extend_from_slice(text.as_bytes());
        }
        PackedTexts(packed.into())
    }

    /// `eventID`.
    pub fn event_id(&self) -> Option<&str> {
        self.some(Text::EventId)
    }

    /// `recipientAccountId`, else the caller's account.
    pub fn account(&self) -> Option<&str> {
        self.some(Text::Recipient).or_else(|| self.some(Text::AccountId))
    }

    /// `eventTime`.
    pub fn time(&self) -> Option<Timestamp> {
        self.get(Text::EventTime).and_then(parse_time)
    }

    pub(super) fn get(&self, text: Text) -> Option<&str> {
        self.0[text as usize].as_deref()
    }

    /// One that is not empty.
    fn some(&self, text: Text) -> Option<&str> {
        self.get(text).filter(|text| !text.is_empty())
    }

    pub(super) fn string(&self, text: Text) -> Option<String> {
        self.some(text).map(str::to_owned)
    }

    /// `true`/`false`, or the same as text, which is how CloudTrail writes `mfaAuthenticated`.
    pub(super) fn flag(&self, text: Text) -> Option<bool> {
        self.get(text)?.to_ascii_lowercase().parse().ok()
    }

    /// Of a member that is there twice the last one is the one.
    fn forget(&mut self, members: &Wanted) {
        for (_, text) in members.texts {
            self.0[*text as usize] = None;
        }
        for (_, members) in members.objects {
            self.forget(members);
        }
    }
}

impl PackedTexts {
    /// The texts again.
    pub fn texts(&self) -> Texts<'_> {
        let mut texts = Texts::NONE;
        let mut rest = &*self.0;
        while let Some(([number, length], behind)) = rest.split_first_chunk() {
            let mut text = (usize::from(*length), behind);
            if *length == SHORT {
                let Some((length, behind)) = behind.split_first_chunk() else { break };
                text = (u32::from_le_bytes(*length) as usize, behind);
            }
            let Some((text, behind)) = text.1.split_at_checked(text.0) else { break };
            // Only texts were packed.
            texts.0[usize::from(*number)] = str::from_utf8(text).ok().map(Cow::Borrowed);
            rest = behind;
        }
        texts
    }
}

/// A key, or another text: borrowed where it is written without escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Longest text that is packed, in bytes.
const LONGEST: usize = 4 << 10;

/// Reads the members of an object. Is it one?
struct ReadObject<'t, 'a> {
    members: &'static Wanted,
    texts: &'t mut Texts<'a>,
}

impl<'de> DeserializeSeed<'de> for ReadObject<'_, 'de> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadObject<'_, 'de> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { members, texts } = self;
        texts.forget(members);
        while let Some(Key(key)) = map.next_key()? {
            if let Some((_, at)) = members.texts.iter().find(|(name, _)| *name == key) {
                texts.0[*at as usize] = text(map.next_value()?);
            } else if let Some((_, members)) = members.objects.iter().find(|(name, _)| *name == key)
            {
                texts.forget(members);
                map.next_value_seed(ReadObject { members, texts: &mut *texts })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// Text, or a number or boolean as written; `None` for null, objects and arrays.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok().map(|Key(text)| text),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

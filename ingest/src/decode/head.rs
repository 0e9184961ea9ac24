//! What an object's own keys say: which of those that matter are there, and where their values stand.

use std::ops::Range;

use model::json::Cursor;

/// Keys of an object that decide what it is. Their values are remembered while its end is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Key {
    AwsLogs,
    CloudTrailEvent,
    Detail,
    DetailType,
    DigestS3Object,
    Event,
    EventId,
    EventName,
    EventSource,
    EventVersion,
    Events,
    EventsUpper,
    IngestionTime,
    LogEvents,
    LogGroup,
    LogStream,
    LogStreamName,
    Message,
    Records,
    RecordsLower,
    RecipientAccountId,
    InsightDetails,
    SessionData,
    SessionId,
    SnsEventSource,
    Timestamp,
    // What else CloudTrail's records have.
    AdditionalEventData,
    ApiVersion,
    AwsRegion,
    ErrorCode,
    ErrorMessage,
    EventCategory,
    EventTime,
    EventType,
    ManagementEvent,
    ReadOnly,
    RequestId,
    RequestParameters,
    Resources,
    ResponseElements,
    ServiceEventDetails,
    SessionCredentialFromConsole,
    SharedEventId,
    SourceIpAddress,
    TlsDetails,
    UserAgent,
    UserIdentity,
    VpcEndpointId,
}

impl Key {
    const COUNT: usize = Self::VpcEndpointId as usize + 1;

    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"eventName" => Self::EventName,
            b"eventSource" => Self::EventSource,
            b"eventID" => Self::EventId,
            b"eventVersion" => Self::EventVersion,
            b"recipientAccountId" => Self::RecipientAccountId,
            b"insightDetails" => Self::InsightDetails,
            b"Records" => Self::Records,
            b"records" => Self::RecordsLower,
            b"Events" => Self::EventsUpper,
            b"events" => Self::Events,
            b"logEvents" => Self::LogEvents,
            b"detail" => Self::Detail,
            b"detail-type" => Self::DetailType,
            b"CloudTrailEvent" => Self::CloudTrailEvent,
            b"message" => Self::Message,
            b"timestamp" => Self::Timestamp,
            b"ingestionTime" => Self::IngestionTime,
            b"logGroup" => Self::LogGroup,
            b"logStream" => Self::LogStream,
            b"logStreamName" => Self::LogStreamName,
            b"sessionData" => Self::SessionData,
            b"sessionId" => Self::SessionId,
            b"digestS3Object" => Self::DigestS3Object,
            b"awslogs" => Self::AwsLogs,
            b"Event" => Self::Event,
            b"EventSource" => Self::SnsEventSource,
            b"additionalEventData" => Self::AdditionalEventData,
            b"apiVersion" => Self::ApiVersion,
            b"awsRegion" => Self::AwsRegion,
            b"errorCode" => Self::ErrorCode,
            b"errorMessage" => Self::ErrorMessage,
            b"eventCategory" => Self::EventCategory,
            b"eventTime" => Self::EventTime,
            b"eventType" => Self::EventType,
            b"managementEvent" => Self::ManagementEvent,
            b"readOnly" => Self::ReadOnly,
            b"requestID" => Self::RequestId,
            b"requestParameters" => Self::RequestParameters,
            b"resources" => Self::Resources,
            b"responseElements" => Self::ResponseElements,
            b"serviceEventDetails" => Self::ServiceEventDetails,
            b"sessionCredentialFromConsole" => Self::SessionCredentialFromConsole,
            b"sharedEventID" => Self::SharedEventId,
            b"sourceIPAddress" => Self::SourceIpAddress,
            b"tlsDetails" => Self::TlsDetails,
            b"userAgent" => Self::UserAgent,
            b"userIdentity" => Self::UserIdentity,
            b"vpcEndpointId" => Self::VpcEndpointId,
            _ => return None,
        })
    }

    /// Does an array under this key, in a top-level object, hold the items rather than a value?
    pub(super) const fn holds_items(self) -> bool {
        matches!(self, Self::Records | Self::Events | Self::EventsUpper | Self::LogEvents)
    }
}

/// What an object's own keys say: where in the buffer that was scanned their values stand.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// By key: the first byte of its value, and one behind the last of an object or an array. Where a string ends is found
    /// when it is asked for, which it is for few.
    values: [(u32, u32); Key::COUNT],
    /// Bit per key: seen at all.
    present: u64,
    /// Is there a key with a dot in it? It may mean what elsewhere is nested.
    pub(super) dotted: bool,
    /// A key was repeated or written with escapes: what is known may not be the whole truth, and
    /// whoever would skip the record because of it must not (DESIGN, law 3).
    pub(super) odd: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self { values: [(0, 0); Key::COUNT], present: 0, dotted: false, odd: false }
    }
}

/// A buffer never reaches 4 GiB: `Limits::max_item` is far below.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Head {
    pub(super) fn clear(&mut self) {
        self.present = 0;
        self.dotted = false;
        self.odd = false;
    }

    /// The value of `key` begins at `start`.
    pub(super) fn set(&mut self, key: Key, start: usize) {
        let bit = 1_u64 << key as u8;
        self.odd |= self.present & bit != 0;
        self.present |= bit;
        self.values[key as usize] = (offset(start), 0);
    }

    /// Was the key there?
    pub(crate) const fn has(&self, key: Key) -> bool {
        self.present & (1_u64 << key as u8) != 0
    }

    /// Can the ranges be relied on to be all there is?
    pub(crate) const fn is_exact(&self) -> bool {
        !self.odd
    }

    /// The value of `key`, if it is a string without escapes. `bytes` is the buffer that was scanned,
    /// from the object's first byte.
    pub(crate) fn text<'a>(&self, bytes: &'a [u8], key: Key) -> Option<&'a str> {
        str::from_utf8(self.bytes(bytes, key)?).ok()
    }

    /// The same, whatever bytes they are.
    pub(crate) fn bytes<'a>(&self, bytes: &'a [u8], key: Key) -> Option<&'a [u8]> {
        let (string, is_escaped) = self.string(bytes, key)?;
        bytes.get(string).filter(|_| !is_escaped)
    }

    /// Where a string stands, quotes left out, and whether there are escapes in it.
    fn string(&self, bytes: &[u8], key: Key) -> Option<(Range<usize>, bool)> {
        let mut cursor = Cursor::new(bytes);
        cursor.at = self.values[key as usize].0 as usize;
        if !self.has(key) || cursor.peek() != Some(b'"') {
            return None;
        }
        let string = cursor.string().ok()?;
        Some((string, cursor.is_escaped))
    }

    /// Where the value of an object's own key stands, if that is known.
    pub(crate) fn member(&self, bytes: &[u8], name: &str) -> Member {
        match Key::of(name.as_bytes()) {
            _ if self.odd || self.dotted => Member::Unknown,
            None => Member::Unknown,
            Some(key) if !self.has(key) => Member::Absent,
            Some(key) => {
                let (start, end) = self.values[key as usize];
                let end = match self.string(bytes, key) {
                    Some((string, _)) => string.end + 1,
                    // Of a number or a literal only the start was noted.
                    None if end == 0 => usize::MAX,
                    None => end as usize,
                };
                Member::At(start as usize, end)
            }
        }
    }

    /// An object or an array ends before `end`.
    pub(super) fn close(&mut self, key: Key, end: usize) {
        self.values[key as usize].1 = offset(end);
    }

    /// The bytes from where the value of `key` starts.
    pub(crate) fn value_from<'a>(&self, bytes: &'a [u8], key: Key) -> Option<&'a [u8]> {
        self.has(key).then(|| bytes.get(self.values[key as usize].0 as usize..)).flatten()
    }
}

/// Where the value of an object's own key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Its first byte, and one behind its last; that of a number or a literal is not known: it is beyond the end.
    At(usize, usize),
    /// There is no such key.
    Absent,
    /// Not known: whoever wants it has to look.
    Unknown,
}

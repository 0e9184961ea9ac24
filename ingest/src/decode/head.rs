//! What an object's own keys say: which of those that matter are there, and where their values stand.

use model::json::Cursor;

/// Declares the keys with their names.
macro_rules! keys {
    ($($key:ident = $name:literal,)*) => {
        /// Keys of an object that decide what it is. Their values are remembered while its end is sought.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Key {
            $($key,)*
        }

        impl Key {
            const NAMES: &[&[u8]] = &[$($name,)*];

            pub(crate) fn of(name: &[u8]) -> Option<Self> {
                Some(match name {
                    $($name => Self::$key,)*
                    _ => return None,
                })
            }
        }
    };
}

keys! {
    AwsLogs = b"awslogs",
    CloudTrailEvent = b"CloudTrailEvent",
    Detail = b"detail",
    DetailType = b"detail-type",
    DigestS3Object = b"digestS3Object",
    Event = b"Event",
    EventId = b"eventID",
    EventName = b"eventName",
    EventSource = b"eventSource",
    EventVersion = b"eventVersion",
    Events = b"events",
    EventsUpper = b"Events",
    IngestionTime = b"ingestionTime",
    LogEvents = b"logEvents",
    LogGroup = b"logGroup",
    LogStream = b"logStream",
    LogStreamName = b"logStreamName",
    Message = b"message",
    Records = b"Records",
    RecordsLower = b"records",
    RecipientAccountId = b"recipientAccountId",
    InsightDetails = b"insightDetails",
    SessionData = b"sessionData",
    SessionId = b"sessionId",
    SnsEventSource = b"EventSource",
    Timestamp = b"timestamp",
    // What else CloudTrail's records have.
    AdditionalEventData = b"additionalEventData",
    ApiVersion = b"apiVersion",
    AwsRegion = b"awsRegion",
    ErrorCode = b"errorCode",
    ErrorMessage = b"errorMessage",
    EventCategory = b"eventCategory",
    EventTime = b"eventTime",
    EventType = b"eventType",
    ManagementEvent = b"managementEvent",
    ReadOnly = b"readOnly",
    RequestId = b"requestID",
    RequestParameters = b"requestParameters",
    Resources = b"resources",
    ResponseElements = b"responseElements",
    ServiceEventDetails = b"serviceEventDetails",
    SessionCredentialFromConsole = b"sessionCredentialFromConsole",
    SharedEventId = b"sharedEventID",
    SourceIpAddress = b"sourceIPAddress",
    TlsDetails = b"tlsDetails",
    UserAgent = b"userAgent",
    UserIdentity = b"userIdentity",
    VpcEndpointId = b"vpcEndpointId",
}

impl Key {
    const COUNT: usize = Self::NAMES.len();

    /// Does an array under this key, in a top-level object, hold the items rather than a value?
    pub(super) const fn holds_items(self) -> bool {
        matches!(self, Self::Records | Self::Events | Self::EventsUpper | Self::LogEvents)
    }
}

/// What is known of `userIdentity`, because rules ask it of every record, and how its keys are written. It is AWS's own
/// element: no key is there twice, and none has a dot in it.
const IDENTITY: [(&str, &[u8]); 2] =
    [("userIdentity.type", b"\"type\""), ("userIdentity.arn", b"\"arn\"")];

/// Longest way a key is written: a byte in front of it, its quotes, and its name.
const LONGEST: usize = 32;

/// A key between its quotes, as it stands at the end of that many bytes.
struct Written {
    words: [u64; LONGEST / 8],
    /// Which bits of them matter.
    mask: [u64; LONGEST / 8],
    /// Where the byte in front of it stands.
    front: usize,
}

static WRITTEN: [Written; Key::COUNT] = {
    const NOTHING: Written = Written { words: [0; LONGEST / 8], mask: [0; LONGEST / 8], front: 0 };
    let mut all = [NOTHING; Key::COUNT];
    let mut at = 0;
    while at < Key::COUNT {
        let name = Key::NAMES[at];
        let begin = LONGEST - 2 - name.len();
        let mut nth = begin;
        while nth < LONGEST {
            let quoted = nth > begin && nth < LONGEST - 1;
            let byte = if quoted { name[nth - begin - 1] } else { b'"' };
            all[at].words[nth / 8] |= (byte as u64) << (nth % 8 * 8);
            all[at].mask[nth / 8] |= 0xff << (nth % 8 * 8);
            nth += 1;
        }
        all[at].front = begin - 1;
        at += 1;
    }
    all
};

impl Written {
    /// Does it stand at the end of what is in front of a colon outside of a string, right behind what a key follows?
    #[inline]
    fn ends(&self, before: &[u8; LONGEST]) -> bool {
        let (words, _) = before.as_chunks::<8>();
        let own = self.words.iter().zip(&self.mask).zip(words);
        let other = own.fold(0, |other, ((word, mask), there)| {
            other | (u64::from_le_bytes(*there) ^ word) & mask
        });
        other == 0 && matches!(before[self.front], b',' | b'{')
    }
}

/// Which key came behind which.
#[derive(Clone, Debug)]
struct Order {
    /// By key, and in the end for the first.
    next: [Option<Key>; Key::COUNT + 1],
    last: usize,
    /// What comes next, if it is as before.
    expected: Option<Key>,
}

impl Order {
    #[inline]
    fn go_to(&mut self, last: usize) {
        self.last = last;
        self.expected = self.next[last];
    }
}

impl Default for Order {
    fn default() -> Self {
        Self { next: [None; Key::COUNT + 1], last: Key::COUNT, expected: None }
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
    /// Where the values of [`IDENTITY`] begin; 0: it was not seen.
    identity: [u32; IDENTITY.len()],
    order: Order,
    /// Is there a key that is none of those that matter?
    pub(super) others: bool,
    /// Is there a key with a dot in it? It may mean what elsewhere is nested.
    pub(super) dotted: bool,
    /// A key was repeated or written with escapes: what is known may not be the whole truth, and
    /// whoever would skip the record because of it must not (DESIGN, law 3).
    pub(super) odd: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            values: [(0, 0); Key::COUNT],
            present: 0,
            identity: [0; IDENTITY.len()],
            order: Order::default(),
            others: false,
            dotted: false,
            odd: false,
        }
    }
}

/// A buffer never reaches 4 GiB: `Limits::max_item` is far below.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Head {
    pub(super) fn clear(&mut self) {
        self.present = 0;
        self.identity = [0; IDENTITY.len()];
        self.order.go_to(Key::COUNT);
        self.others = false;
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

    /// The value of a key of `userIdentity` begins at `start`. `before`: all up to the key's last quote.
    #[inline]
    pub(super) fn set_identity(&mut self, before: &[u8], start: impl FnOnce() -> usize) {
        if let Some(at) = IDENTITY.iter().position(|(_, written)| before.ends_with(written)) {
            self.odd |= self.identity[at] != 0;
            self.identity[at] = offset(start());
        }
    }

    /// The key that stands in front of this colon, if it is the one that came next in the object before: who writes
    /// records writes their keys in the same order.
    #[inline]
    pub(super) fn expected(&self, buf: &[u8], colon: usize) -> Option<Key> {
        let key = self.order.expected?;
        let before = buf.get(..colon)?.last_chunk::<LONGEST>()?;
        WRITTEN[key as usize].ends(before).then_some(key)
    }

    /// This key came, and was not the one expected.
    pub(super) fn came(&mut self, key: Key) {
        self.order.next[self.order.last] = Some(key);
    }

    /// What is expected is what follows this one.
    #[inline]
    pub(super) fn follows(&mut self, key: Key) {
        self.order.go_to(key as usize);
    }

    #[cfg(test)]
    pub(super) fn says_as(&self, other: &Self) -> bool {
        let known = |head: &Self| {
            let values = (0..Key::COUNT).filter(|at| head.present >> at & 1 == 1);
            let values: Vec<_> = values.map(|at| head.values[at]).collect();
            (values, head.present, head.identity, head.others, head.dotted, head.odd)
        };
        known(self) == known(other)
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
        let mut cursor = Cursor::new(bytes);
        cursor.at = self.values[key as usize].0 as usize;
        if !self.has(key) || cursor.peek() != Some(b'"') {
            return None;
        }
        let string = cursor.string().ok()?;
        bytes.get(string).filter(|_| !cursor.is_escaped)
    }

    /// Where the value of an object's own key, or of one of [`IDENTITY`], stands, if that is known.
    pub(crate) fn member(&self, bytes: &[u8], name: &str) -> Member {
        if self.odd || self.dotted {
            return Member::Unknown;
        }
        if let Some(at) = IDENTITY.iter().position(|(known, _)| *known == name) {
            return self.of_identity(bytes, self.identity[at] as usize);
        }
        match Key::of(name.as_bytes()) {
            None if self.others => Member::Unknown,
            None => Member::Absent,
            Some(key) if !self.has(key) => Member::Absent,
            Some(key) => {
                let (start, end) = self.values[key as usize];
                Member::At(start as usize, (end != 0).then_some(end as usize))
            }
        }
    }

    fn of_identity(&self, bytes: &[u8], start: usize) -> Member {
        let first = |bytes: &[u8]| bytes.first().copied();
        let identity = self.value_from(bytes, Key::UserIdentity).and_then(first);
        let value = bytes.get(start..).filter(|_| start != 0);
        match (identity, value.and_then(first)) {
            (None, _) | (Some(b'{'), None) => Member::Absent,
            (Some(b'{'), Some(b'"')) => Member::At(start, None),
            _ => Member::Unknown,
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
    /// Its first byte, and one behind its last, if that is known: of an object or an array it is.
    At(usize, Option<usize>),
    /// There is no such key.
    Absent,
    /// Not known: whoever wants it has to look.
    Unknown,
}

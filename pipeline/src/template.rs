//! Where a new rule begins: a template and its cases, which pass check and test as they are.

/// What the rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An API call.
    CloudTrail,
    /// A line as it was typed.
    Command,
    /// A program that was run.
    Process,
    /// What a recording shows as a whole.
    Transcript,
    /// Several matches within a time.
    Correlation,
    /// An exception for rules.
    Filter,
}

/// What goes into a template.
#[derive(Clone, Debug)]
pub struct Blanks<'a> {
    /// The title.
    pub title: &'a str,
    /// Ids, all different: the document's own, and one for a part.
    pub ids: [&'a str; 2],
    /// The team that answers for it.
    pub owner: &'a str,
    /// The day, YYYY-MM-DD.
    pub today: &'a str,
}

/// A rule, and its cases where it can have some.
pub fn render(kind: Kind, blanks: &Blanks<'_>) -> (String, Option<String>) {
    let Blanks { title, ids: [id, part], owner, today } = blanks;
    // As YAML, whatever stands in it.
    let title = serde_json::Value::from(*title).to_string();
    let owner = serde_json::Value::from(*owner).to_string();
    let head = format!(
        "title: {title}\nid: {id}\nstatus: experimental\ndescription: >-\n  What does it see, and why does that \
         matter? Say it to somebody who is woken by it.\nauthor: {owner}\ndate: {today}\n"
    );
    let tail = format!(
        "falsepositives:\n  - Who will trip over this without meaning harm?\nlevel: low\nowner: {owner}\nresponse:\n  \
         - What is looked at first?\n  - What is done if it is what it seems?\n"
    );
    let tags = |technique: &str| format!("tags:\n  - attack.execution\n  - attack.{technique}\n");
    match kind {
        Kind::CloudTrail => (
            format!(
                "{head}{}logsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  # other services have \
                 events of the same name\n  selection:\n    eventSource: ssm.amazonaws.com\n    eventName: \
                 StartSession\n  # without this, refused calls match as well\n  selection_success:\n    errorCode: \
                 null\n  filter_default_document:\n    requestParameters.documentName: null\n  condition: all of \
                 selection* and not 1 of filter_*\n{tail}",
                tags("t1021.008"),
            ),
            Some(
                "# the base: every record below is laid on this one\nevent:\n  eventVersion: '1.11'\n  eventTime: \
                 '2026-11-20T10:24:31Z'\n  eventSource: ssm.amazonaws.com\n  eventName: StartSession\n  awsRegion: \
                 eu-central-1\n  userIdentity:\n    type: AssumedRole\n    arn: \
                 arn:aws:sts::111122223333:assumed-role/platform/alice\n  requestParameters:\n    target: \
                 i-0a1b2c3d4e5f60718\n    documentName: My-Document\ncases:\n  - name: a document of one's own\n    \
                 fires: true\n    event: {}\n    evidence:\n      eventName: StartSession\n  - name: the default \
                 document\n    fires: false\n    event: {requestParameters: {documentName: null}}\n  - name: the call \
                 was refused\n    fires: false\n    event: {errorCode: AccessDenied}\n  - name: another service\n    \
                 fires: false\n    event: {eventSource: athena.amazonaws.com}\n"
                    .to_owned(),
            ),
        ),
        Kind::Command => (
            format!(
                "{head}{}logsource:\n  product: aws\n  service: session_manager\n  category: command\ndetection:\n  \
                 # `text` is the line as it was typed. Anchored to where a command can stand, or a line that only \
                 speaks\n  # of it would match: echo \"umask 000\"\n  selection:\n    text|re: \
                 '(^|[;&|({{])\\s*umask\\s+0*0(\\s|;|$)'\n    status: executed\n  condition: selection\n{tail}",
                tags("t1222.002"),
            ),
            Some(
                "cases:\n  - name: the whole line\n    fires: true\n    command: umask 000\n    evidence: [text]\n  \
                 - name: behind another command\n    fires: true\n    command: cd /srv && umask 0\n  - name: a text \
                 that speaks of it\n    fires: false\n    command: echo \"umask 000\"\n  - name: another mask\n    \
                 fires: false\n    command: umask 022\n  - name: given up before Enter\n    fires: false\n    command: \
                 umask 000\n    status: aborted\n"
                    .to_owned(),
            ),
        ),
        Kind::Process => (
            format!(
                "{head}{}logsource:\n  product: linux\n  category: process_creation\ndetection:\n  # one event for \
                 each program: also for what sudo, xargs, bash -c and their like run\n  selection:\n    \
                 Image|endswith:\n      - /nc\n      - /ncat\n    CommandLine|contains: ' -l'\n  condition: \
                 selection\n{tail}",
                tags("t1059.004"),
            ),
            Some(
                "cases:\n  - name: a listener\n    fires: true\n    command: nc -l 4444\n    evidence:\n      \
                 CommandLine: nc -l 4444\n  - name: with sudo, by its path\n    fires: true\n    command: sudo \
                 /usr/bin/ncat -lvp 443\n  - name: a connection\n    fires: false\n    command: nc db.internal \
                 5432\n  - name: a text that speaks of it\n    fires: false\n    command: echo nc -l 4444\n"
                    .to_owned(),
            ),
        ),
        Kind::Transcript => (
            format!(
                "{head}{}logsource:\n  product: aws\n  service: session_manager\n  category: \
                 transcript\ndetection:\n  selection:\n    complete: 'false'\n  selection_work:\n    commands|gte: \
                 1\n  condition: all of selection*\n{tail}",
                tags("t1562.008"),
            ),
            Some(
                "cases:\n  - name: cut short\n    fires: true\n    transcript: {complete: false, commands: 3}\n    \
                 evidence: [complete]\n  - name: whole\n    fires: false\n    transcript: {complete: true, commands: \
                 3}\n  - name: nothing was done\n    fires: false\n    transcript: {complete: false, commands: 0}\n"
                    .to_owned(),
            ),
        ),
        Kind::Correlation => (
            format!(
                "{head}{}correlation:\n  type: event_count\n  rules:\n    - session_opened_{short}\n  # matches that \
                 lack one of these fields belong to no group\n  group-by:\n    - userIdentity.arn\n  # the first and the \
                 last are at most this far apart\n  timespan: 5m\n  condition:\n    gt: 10\n{tail}---\n# what is \
                 counted; it is not told on its own (`generate: true` in the correlation would)\ntitle: {}\nid: \
                 {part}\nname: session_opened_{short}\nstatus: experimental\ndescription: A part of the correlation in \
                 this file.\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    \
                 eventSource: ssm.amazonaws.com\n    eventName: StartSession\n    errorCode: null\n  condition: \
                 selection\n",
                tags("t1021.008"),
                serde_json::Value::from(format!("{} (part)", blanks.title)),
                short = id.split('-').next().unwrap_or_default(),
            ),
            Some(
                "event:\n  eventVersion: '1.11'\n  eventSource: ssm.amazonaws.com\n  eventName: StartSession\n  \
                 userIdentity:\n    type: AssumedRole\n    arn: \
                 arn:aws:sts::111122223333:assumed-role/platform/alice\ncases:\n  - name: eleven within five \
                 minutes\n    fires: true\n    events:\n      - {event: {}, repeat: 11, every: 30s}\n    evidence:\n      \
                 event_count: '11'\n  - name: ten\n    fires: false\n    events:\n      - {event: {}, repeat: 10, \
                 every: 30s}\n  - name: eleven within an hour\n    fires: false\n    events:\n      - {event: {}, \
                 repeat: 11, every: 5m}\n  - name: of two people\n    fires: false\n    events:\n      - {event: {}, \
                 repeat: 6, every: 10s}\n      - {event: {userIdentity: {arn: \
                 'arn:aws:sts::111122223333:assumed-role/platform/bob'}}, repeat: 6, every: 10s}\n  - name: refused \
                 calls\n    fires: false\n    events:\n      - {event: {errorCode: AccessDenied}, repeat: 20, every: \
                 5s}\n"
                    .to_owned(),
            ),
        ),
        Kind::Filter => (
            format!(
                "{head}owner: {owner}\n# the day on which somebody has to look whether it is still right\nexpires: \
                 {expires}\nlogsource:\n  product: aws\n  service: cloudtrail\nfilter:\n  # ids or names; leave it \
                 out for all rules of the log source\n  rules: any\n  selection:\n    userIdentity.arn|endswith: \
                 ':assumed-role/audit-exporter/nightly'\n  # `not` leaves out what is selected; without it nothing \
                 else would pass\n  condition: not selection\n",
                expires = next_year(today),
            ),
            None,
        ),
    }
}

/// The same day a year later; of the 29th of February the 28th.
fn next_year(today: &str) -> String {
    let later = today
        .parse::<jiff::civil::Date>()
        .ok()
        .and_then(|day| day.checked_add(jiff::Span::new().years(1)).ok());
    later.map_or_else(|| today.to_owned(), |day| day.to_string())
}

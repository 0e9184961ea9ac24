//! What the stages before hand over, as events that rules can be evaluated on.

use std::cell::OnceCell;

use ingest::command::simple::Program;
use ingest::decode::{BadRecord, Record, Texts};
use ingest::{Member, RawRecord, TranscriptHead};
use jiff::Timestamp;
use model::{Command, EventKind, Session, ShellFamily};
use report::view::SessionRow;
use rules::evaluate::{BadJson, Place, Wanted, fill_from_members};
use rules::{Calendar, Event, RuleSet, SlotId, Slots};

/// Fields that are not in the event itself and that rules may name, resolved once for each kind of event.
pub(crate) struct Added<'a> {
    calendars: Vec<(SlotId, &'a Calendar)>,
    session: Vec<(SlotId, SessionField)>,
}

/// `session.<name>`
#[derive(Clone, Copy)]
enum SessionField {
    Id,
    Principal,
    PrincipalType,
    Document,
    Target,
    Kind,
    Account,
    Region,
    Reason,
}

impl SessionField {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "principal" => Self::Principal,
            "principal_type" => Self::PrincipalType,
            "document" => Self::Document,
            "target" => Self::Target,
            "kind" => Self::Kind,
            "account" => Self::Account,
            "region" => Self::Region,
            "reason" => Self::Reason,
            _ => return None,
        })
    }

    fn value(self, session: &Session) -> Option<&str> {
        let principal = session.principal.as_ref();
        match self {
            Self::Id => Some(session.id.as_str()),
            Self::Principal => principal.and_then(model::Principal::label),
            Self::PrincipalType => principal.map(|principal| principal.kind.as_str()),
            Self::Document => session.document.as_deref(),
            Self::Target => session.target.as_deref(),
            Self::Kind => session.kind.map(model::SessionKind::as_str),
            Self::Account => session.account.as_deref(),
            Self::Region => session.region.as_deref(),
            Self::Reason => session.reason.as_deref(),
        }
    }
}

impl<'a> Added<'a> {
    /// What the rules for `kind` name of these fields.
    pub(crate) fn new(set: &'a RuleSet, kind: EventKind) -> Self {
        let Some(fields) = set.fields(kind) else {
            return Self { calendars: Vec::new(), session: Vec::new() };
        };
        let calendars = fields
            .with_prefix("calendar.")
            .filter_map(|(name, slot)| Some((slot, set.calendars().get(name)?)))
            .collect();
        let session = fields
            .with_prefix("session.")
            .filter_map(|(name, slot)| Some((slot, SessionField::of(name)?)))
            .collect();
        Self { calendars, session }
    }

    fn fill(&self, slots: &mut Slots, time: Option<Timestamp>, session: Option<&Session>) {
        if let Some(time) = time {
            for (slot, calendar) in &self.calendars {
                slots.push(*slot, calendar.word(time));
            }
        }
        if let Some(session) = session {
            for (slot, field) in &self.session {
                slots.push_some(*slot, field.value(session));
            }
        }
    }

    /// Is any of them wanted? They take parsing the record.
    fn is_wanted(&self, wanted: &Wanted<'_>) -> bool {
        let slots = self.calendars.iter().map(|(slot, _)| slot);
        slots.chain(self.session.iter().map(|(slot, _)| slot)).any(|slot| wanted.slot(*slot))
    }
}

/// [`Added`] by kind of event, each made when it is first asked for: a kind that never comes costs nothing.
pub(crate) struct AddedByKind<'a> {
    set: &'a RuleSet,
    kinds: [OnceCell<Added<'a>>; EventKind::ALL.len()],
}

impl<'a> AddedByKind<'a> {
    pub(crate) fn new(set: &'a RuleSet) -> Self {
        Self { set, kinds: Default::default() }
    }

    pub(crate) fn of(&self, kind: EventKind) -> &Added<'a> {
        self.kinds[kind as usize].get_or_init(|| Added::new(self.set, kind))
    }
}

/// A CloudTrail record.
pub(crate) struct RecordEvent<'a> {
    pub(crate) raw: &'a RawRecord<'a>,
    pub(crate) added: &'a Added<'a>,
    texts: OnceCell<Result<Box<Texts<'a>>, BadRecord>>,
    record: OnceCell<Option<Box<Record>>>,
}

impl<'a> RecordEvent<'a> {
    pub(crate) const fn new(raw: &'a RawRecord<'a>, added: &'a Added<'a>) -> Self {
        Self { raw, added, texts: OnceCell::new(), record: OnceCell::new() }
    }

    /// What the record is made out of, read at the first call.
    pub(crate) fn texts(&self) -> Option<&Texts<'a>> {
        self.texts.get_or_init(|| Texts::read(self.raw).map(Box::new)).as_deref().ok()
    }

    /// Why it cannot be made out, if that was asked for and it cannot.
    pub(crate) fn broken(&self) -> Option<&BadRecord> {
        self.texts.get()?.as_ref().err()
    }

    /// The record, made out at the first call.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.record.get_or_init(|| Some(Box::new(Record::of(self.texts()?)))).as_deref()
    }

    /// The record, if it was made out.
    pub(crate) fn into_record(self) -> Option<Box<Record>> {
        self.record.into_inner().flatten()
    }
}

impl Event for RecordEvent<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_members(self.raw.bytes, &|name| self.member(name), wanted, slots)?;
        if self.added.is_wanted(wanted)
            && let Some(record) = self.record()
        {
            let session = record.opened_session().or_else(|| {
                // A call about a session that was opened elsewhere tells its id.
                record.session_id.clone().map(Session::unknown)
            });
            self.added.fill(slots, record.time, session.as_ref());
        }
        Ok(())
    }

    fn member(&self, name: &str) -> Place {
        match self.raw.members.map_or(Member::Unknown, |members| members.find(name)) {
            Member::At(start, end) => Place::At(start, end),
            Member::Absent => Place::Absent,
            Member::Unknown => Place::Unknown,
        }
    }
}

/// The kind of the programs that a line for such a shell starts.
pub(crate) const fn process_kind(shell: ShellFamily) -> EventKind {
    match shell {
        ShellFamily::Posix => EventKind::LinuxProcess,
        ShellFamily::PowerShell => EventKind::WindowsProcess,
    }
}

/// A line that a person ran, or a program that it starts.
pub(crate) struct CommandEvent<'a> {
    pub(crate) head: &'a TranscriptHead,
    pub(crate) command: &'a Command,
    pub(crate) program: Option<&'a Program>,
    pub(crate) session: &'a Session,
    pub(crate) time: Option<Timestamp>,
    pub(crate) added: &'a Added<'a>,
}

impl Event for CommandEvent<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        let Self { head, command, program, session, .. } = *self;
        let ordinal = command.ordinal.to_string();
        let level = command.level.map(|level| level.to_string());
        let user = program
            .and_then(|program| program.user.as_deref())
            .or(command.user.as_deref())
            .or(head.run_as.as_deref().filter(|_| command.level.is_none_or(|level| level <= 1)));
        let values: &[(&str, Option<&str>)] = match program {
            Some(program) => &[
                ("Image", Some(&program.image)),
                ("CommandLine", Some(&program.command_line)),
                ("ParentImage", Some(&program.parent_image)),
                ("User", user),
                ("CurrentDirectory", command.cwd.as_deref()),
                ("LogonId", Some(session.id.as_str())),
            ],
            None => &[
                ("text", Some(&command.text)),
                // What a guess may have taken away must not escape a rule.
                ("text", command.original.as_deref()),
                ("status", Some(command.status.as_str())),
                ("confidence", Some(command.confidence.as_str())),
                ("user", user),
                ("host", command.host.as_deref()),
                ("level", level.as_deref()),
                ("cwd", command.cwd.as_deref()),
                ("ordinal", Some(&ordinal)),
                ("form", Some(head.form.as_str())),
            ],
        };
        for (name, value) in values {
            if let Some(slot) = wanted.fields.find(name) {
                slots.push_some(slot, *value);
            }
            if wanted.keywords {
                slots.push_some(SlotId::KEYWORDS, *value);
            }
        }
        self.added.fill(slots, self.time, Some(session));
        Ok(())
    }
}

/// A transcript as a whole.
pub(crate) struct TranscriptEvent<'a> {
    pub(crate) head: &'a TranscriptHead,
    pub(crate) session: &'a Session,
    pub(crate) time: Option<Timestamp>,
    pub(crate) added: &'a Added<'a>,
}

impl Event for TranscriptEvent<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        let Self { head, session, .. } = *self;
        let commands = head.commands.to_string();
        let complete = head.complete.map(|complete| if complete { "true" } else { "false" });
        let own = [
            ("form", Some(head.form.as_str())),
            ("complete", complete),
            ("commands", Some(commands.as_str())),
        ];
        let observed =
            head.observations.iter().map(|(kind, ..)| ("observation", Some(kind.as_str())));
        for (name, value) in own.into_iter().chain(observed) {
            if let Some(slot) = wanted.fields.find(name) {
                slots.push_some(slot, value);
            }
            if wanted.keywords {
                slots.push_some(SlotId::KEYWORDS, value);
            }
        }
        self.added.fill(slots, self.time, Some(session));
        Ok(())
    }
}

/// A session as the view has it, or the gap that it is.
pub(crate) struct SessionEvent<'a> {
    pub(crate) row: &'a SessionRow<'a>,
    pub(crate) session: &'a Session,
    pub(crate) added: &'a Added<'a>,
}

impl Event for SessionEvent<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        let Self { row, session, .. } = *self;
        let flag = |flag: Option<bool>| flag.map(|flag| if flag { "true" } else { "false" });
        let duration = row.duration_s.map(|seconds| seconds.to_string());
        let (commands, findings) = (row.commands.to_string(), row.findings.to_string());
        let reason = Some(row.coverage_reason.as_str()).filter(|reason| !reason.is_empty());
        let values = [
            ("account", row.account),
            ("commands", Some(commands.as_str())),
            ("coverage", Some(row.coverage.as_str())),
            ("coverage_reason", reason),
            ("document", row.document),
            ("duration_s", duration.as_deref()),
            ("end_source", row.end_source),
            ("findings", Some(findings.as_str())),
            ("highest_level", row.highest_level),
            ("kind", row.kind),
            ("mfa", flag(row.mfa)),
            ("principal_arn", row.principal_arn),
            ("principal_name", row.principal_name),
            ("principal_type", row.principal_type),
            ("reason", row.reason),
            ("region", row.region),
            ("run_as", row.run_as),
            ("source_ip", row.source_ip),
            ("target", row.target),
            ("user_agent", row.user_agent),
        ];
        for (name, value) in values {
            if let Some(slot) = wanted.fields.find(name) {
                slots.push_some(slot, value);
            }
            if wanted.keywords {
                slots.push_some(SlotId::KEYWORDS, value);
            }
        }
        self.added.fill(slots, row.start, Some(session));
        Ok(())
    }
}

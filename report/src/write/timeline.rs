//! A session as it went: who, where, each command, and marks for what was found and what was hidden.

use std::collections::BTreeMap;
use std::io;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{
    Command, CommandStatus, Confidence, Finding, Level, Observation, Session, SessionId, Visible,
};

use super::text::style;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Magenta.on_default().bold();

/// Findings on a session's own records that are kept for its title.
const MAX_FINDINGS: usize = 20;
/// Sessions whose findings are kept.
const MAX_SESSIONS: usize = 100_000;

/// What a transcript is known by.
#[derive(Clone, Copy, Debug)]
pub struct Transcript<'a> {
    /// The object.
    pub artifact: &'a str,
    /// Its form.
    pub form: &'a str,
    /// The session, where it is known.
    pub session_id: Option<&'a SessionId>,
    /// The operating system user that the shell was started as, where the form tells.
    pub run_as: Option<&'a str>,
    /// When it ended, where the form tells.
    pub ended: Option<Timestamp>,
    /// Is it known to be complete, or to be cut off?
    pub complete: Option<bool>,
    /// Commands in it.
    pub commands: u64,
}

/// Writes sessions, as they are read.
pub struct Timeline<W> {
    out: W,
    zone: TimeZone,
    /// The transcript whose title has been printed.
    current: Option<(String, Option<SessionId>)>,
    /// Findings on records, for the titles of sessions that come later.
    findings: BTreeMap<SessionId, Vec<(Level, String)>>,
    /// Findings over several events: they are known when all is read.
    correlated: Vec<Finding>,
    printed: u64,
}

impl<W: io::Write> Timeline<W> {
    /// Writes to `out`, times in `zone`.
    pub const fn new(out: W, zone: TimeZone) -> Self {
        Self {
            out,
            zone,
            current: None,
            findings: BTreeMap::new(),
            correlated: Vec::new(),
            printed: 0,
        }
    }

    /// Transcripts that have been written.
    pub const fn printed(&self) -> u64 {
        self.printed
    }

    /// A finding: on the command, the transcript or the session that was told last, or on a record of a session
    /// that is told later.
    pub fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        if finding.correlated_count > 0 {
            if self.correlated.len() < MAX_SESSIONS {
                self.correlated.push(finding.clone());
            }
            return Ok(());
        }
        if finding.event_id.is_some()
            || !matches!(finding.event_name.as_deref(), Some("command" | "transcript"))
        {
            if let Some(session) = &finding.session
                && (self.findings.len() < MAX_SESSIONS || self.findings.contains_key(&session.id))
            {
                let known = self.findings.entry(session.id.clone()).or_default();
                if known.len() < MAX_FINDINGS {
                    known.push((finding.rule.level, finding.rule.title.clone()));
                }
            }
            return Ok(());
        }
        self.mark(finding.rule.level, &finding.rule.title)
    }

    fn mark(&mut self, level: Level, title: &str) -> io::Result<()> {
        let colour = style(level);
        let name = level.as_str().to_uppercase();
        writeln!(self.out, "{:>19} {colour}{name}{colour:#} {}", "", Visible(title))
    }

    fn title(&mut self, transcript: &Transcript<'_>, session: &Session) -> io::Result<()> {
        let key = (transcript.artifact.to_owned(), transcript.session_id.cloned());
        if self.current.as_ref() == Some(&key) {
            return Ok(());
        }
        if self.current.replace(key).is_some() {
            writeln!(self.out)?;
        }
        self.printed += 1;
        let id = transcript.session_id.map_or("session unknown", SessionId::as_str);
        writeln!(self.out, "{BOLD}{}{BOLD:#}", Visible(id))?;
        let who = session.principal.as_ref().and_then(|principal| {
            let kind = principal.kind.as_str();
            principal.label().map(|label| format!("{} ({kind})", Visible(label)))
        });
        let claimed = || {
            let login = transcript.session_id.and_then(SessionId::claimed_login);
            login.map_or_else(
                || "unknown".to_owned(),
                |login| format!("unknown; the session's id claims {}", Visible(login.0)),
            )
        };
        self.line("who", &who.unwrap_or_else(claimed))?;
        let mut place: Vec<String> = Vec::new();
        place.extend(session.target.as_ref().map(|node| Visible(node).to_string()));
        place.extend(transcript.run_as.map(|user| format!("as {}", Visible(user))));
        place.extend(session.region.as_ref().map(|region| Visible(region).to_string()));
        place.extend(
            session.account.as_ref().map(|account| format!("account {}", Visible(account))),
        );
        place.extend(session.document.as_ref().map(|name| format!("document {}", Visible(name))));
        if !place.is_empty() {
            self.line("where", &place.join(" · "))?;
        }
        let start = session.start.map(|time| format!("opened {}", self.when(time)));
        let end = transcript.ended.map(|time| format!("ended {}", self.when(time)));
        let times: Vec<String> = start.into_iter().chain(end).collect();
        if !times.is_empty() {
            self.line("when", &times.join(", "))?;
        }
        if let Some(reason) = &session.reason {
            self.line("why", &Visible(reason).to_string())?;
        }
        self.line("from", &format!("{}, {}", transcript.form, Visible(transcript.artifact)))?;
        let findings = transcript.session_id.and_then(|id| self.findings.get(id)).cloned();
        for (level, title) in findings.unwrap_or_default() {
            self.mark(level, &title)?;
        }
        Ok(())
    }

    fn line(&mut self, name: &str, text: &str) -> io::Result<()> {
        writeln!(self.out, "  {DIM}{name:<6}{DIM:#}{text}")
    }

    fn when(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// A command, and the session it belongs to.
    pub fn command(
        &mut self,
        transcript: &Transcript<'_>,
        session: &Session,
        command: &Command,
    ) -> io::Result<()> {
        self.title(transcript, session)?;
        // In a stream: the time of the event that brought it. It was entered not later.
        let time = command.time_end.or(command.time).map_or_else(
            || " ".repeat(8),
            |time| time.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string(),
        );
        let who = match (&command.user, &command.host, &command.cwd) {
            (None, None, None) => String::new(),
            (user, host, cwd) => {
                let at =
                    host.as_ref().map_or_else(String::new, |host| format!("@{}", Visible(host)));
                let cwd = cwd.as_ref().map_or_else(String::new, |cwd| format!(":{}", Visible(cwd)));
                format!("{}{at}{cwd} ", Visible(user.as_deref().unwrap_or_default()))
            }
        };
        let hidden = command.status == CommandStatus::Hidden && command.text.is_empty();
        let text = if hidden { "input hidden here" } else { command.text.as_str() };
        let mut lines = text.split('\n');
        let first = Visible(lines.next().unwrap_or_default()).to_string();
        let mark = match (command.status, command.confidence) {
            (CommandStatus::Executed, Confidence::Certain) => String::new(),
            (CommandStatus::Executed, confidence) => {
                format!("  {DIM}[{}]{DIM:#}", confidence.as_str())
            }
            (status, _) => format!("  {WARNING}[{}]{WARNING:#}", status.as_str()),
        };
        // Deeper shells stand further in.
        let depth = command.level.unwrap_or(1).clamp(1, 9) as usize - 1;
        writeln!(
            self.out,
            "  {DIM}{time} {:>6}{DIM:#}  {:depth$}{DIM}{who}{DIM:#}{first}{mark}",
            command.ordinal,
            "",
            depth = depth * 2,
        )?;
        for line in lines {
            writeln!(self.out, "{:>19} {DIM}|{DIM:#} {}", "", Visible(line))?;
        }
        if let Some(original) = &command.original {
            writeln!(self.out, "{:>19} {DIM}shown as: {}{DIM:#}", "", Visible(original))?;
        }
        Ok(())
    }

    /// Something that hides what was done.
    pub fn observation(
        &mut self,
        transcript: &Transcript<'_>,
        session: &Session,
        observation: &Observation,
    ) -> io::Result<()> {
        self.title(transcript, session)?;
        writeln!(
            self.out,
            "{:>19} {WARNING}!{WARNING:#} {} {DIM}(at or behind command {}, byte {}){DIM:#}",
            "",
            observation.kind.describe(),
            observation.ordinal,
            observation.bytes.start,
        )
    }

    /// A transcript's end.
    pub fn end(&mut self, transcript: &Transcript<'_>, session: &Session) -> io::Result<()> {
        self.title(transcript, session)?;
        let count = match transcript.commands {
            0 => "no commands".to_owned(),
            1 => "1 command".to_owned(),
            count => format!("{count} commands"),
        };
        let cut = match transcript.complete {
            Some(false) => "; the recording has no end: it may have been cut off",
            _ => "",
        };
        writeln!(self.out, "  {DIM}{count}{cut}{DIM:#}")
    }

    /// A session that should have a transcript, and has none here.
    pub fn unrecorded(&mut self, session: &Session) -> io::Result<()> {
        if self.current.take().is_some() {
            writeln!(self.out)?;
        }
        let who = session.principal.as_ref().and_then(model::Principal::label).unwrap_or("unknown");
        writeln!(self.out, "{BOLD}{}{BOLD:#}", Visible(session.id.as_str()))?;
        self.line("who", &Visible(who).to_string())?;
        if let Some(target) = &session.target {
            self.line("where", &Visible(target).to_string())?;
        }
        if let Some(start) = session.start {
            let start = self.when(start);
            self.line("when", &format!("opened {start}"))?;
        }
        self.printed += 1;
        writeln!(self.out, "  {WARNING}no transcript in the input{WARNING:#}")
    }

    /// What only several events show, each with its events.
    fn over_several_events(&mut self) -> io::Result<()> {
        let mut found = std::mem::take(&mut self.correlated);
        if found.is_empty() {
            return Ok(());
        }
        if self.current.take().is_some() || self.printed > 0 {
            writeln!(self.out)?;
        }
        found.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
        writeln!(self.out, "{BOLD}over several events{BOLD:#}")?;
        for finding in &found {
            self.mark(finding.rule.level, &finding.rule.title)?;
            for part in &finding.correlated {
                let time = part.time.map_or_else(|| "time unknown".to_owned(), |t| self.when(t));
                let (rule, about) = (&part.rule.title, part.about.as_deref().unwrap_or_default());
                let (rule, about) = (Visible(rule), Visible(about));
                writeln!(self.out, "{:>21} {time}  {rule}  {DIM}{about}{DIM:#}", "")?;
            }
            let left = finding.correlated_count - finding.correlated.len() as u64;
            if left > 0 {
                writeln!(self.out, "{:>21} {DIM}… and {left} more{DIM:#}", "")?;
            }
        }
        Ok(())
    }

    /// No more comes.
    pub fn finish(&mut self) -> io::Result<()> {
        self.over_several_events()?;
        self.out.flush()
    }
}

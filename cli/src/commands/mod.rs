//! `ssm-audit commands PATH…`

use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};
use ingest::decode::CommandOutput;
use ingest::{Limits, Problem, ProblemKind, TranscriptHead};
use model::{Command, CommandStatus, Confidence, Visible};
use pipeline::commands::{Observer, commands};
use report::mask::Masker;
use report::write::CommandRow;

use crate::args::{CommandsArgs, CommandsFormat};
use crate::exit::{Failure, Outcome, tell};

pub(crate) fn run(args: &CommandsArgs) -> Result<Outcome, Failure> {
    let found = ingest::source::find(&args.paths);
    if found.artifacts.is_empty() && found.unreadable.is_empty() {
        return Err(Failure::usage("there are no files in what was given"));
    }
    let limits = Limits { max_inflated: args.max_inflated, ..Limits::default() };
    let mut print: Box<dyn Observer> = match args.format {
        CommandsFormat::Json => Box::new(Json { out: BufWriter::new(io::stdout()) }),
        CommandsFormat::Text => {
            Box::new(Text { out: BufWriter::new(anstream::stdout()), transcript: None })
        }
    };
    let complete = commands(found, &limits, Masker { reveal: args.reveal }, &mut *print)?;
    Ok(if complete { Outcome::Done } else { Outcome::Incomplete })
}

fn tell_problem(problem: &Problem) {
    if problem.kind == ProblemKind::Failed {
        let place = problem.place.to_string();
        tell(&format!("not read: {}: {}", Visible(&place), Visible(&problem.reason)));
    }
}

struct Json<W: Write> {
    out: W,
}

impl<W: Write> Observer for Json<W> {
    fn command(&mut self, head: &TranscriptHead, command: &Command) -> io::Result<()> {
        let row = CommandRow {
            artifact: &head.place.artifact,
            form: head.form.as_str(),
            session_id: head.session_id.as_ref().map(model::SessionId::as_str),
            ordinal: command.ordinal,
            text: &command.text,
            original: command.original.as_deref(),
            status: command.status.as_str(),
            confidence: command.confidence.as_str(),
            reason: command.reason,
            user: command.user.as_deref(),
            host: command.host.as_deref(),
            level: command.level,
            cwd: command.cwd.as_deref(),
            time: command.time.map(|time| time.to_string()),
            time_end: command.time_end.map(|time| time.to_string()),
            byte_start: command.bytes.start,
            byte_end: command.bytes.end,
        };
        row.write(&mut self.out)
    }

    fn problem(&mut self, problem: &Problem) {
        tell_problem(problem);
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const ABORTED: Style = AnsiColor::Red.on_default();

struct Text<W: Write> {
    out: W,
    /// The transcript whose title has been printed.
    transcript: Option<(String, Option<String>)>,
}

impl<W: Write> Observer for Text<W> {
    fn command(&mut self, head: &TranscriptHead, command: &Command) -> io::Result<()> {
        let session = head.session_id.as_ref().map(ToString::to_string);
        let title = (head.place.artifact.to_string(), session);
        if self.transcript.as_ref() != Some(&title) {
            let gap = if self.transcript.is_some() { "\n" } else { "" };
            let name = title.1.as_deref().unwrap_or("session unknown");
            let (name, artifact) = (Visible(name), Visible(&title.0));
            let form = head.form.as_str();
            writeln!(self.out, "{gap}{BOLD}{name}{BOLD:#}  {DIM}{form}, {artifact}{DIM:#}")?;
            self.transcript = Some(title);
        }
        let mark = match (command.status, command.confidence) {
            (CommandStatus::Executed, Confidence::Certain) => String::new(),
            (CommandStatus::Executed, confidence) => {
                format!("  {DIM}[{}]{DIM:#}", confidence.as_str())
            }
            (status, _) => format!("  {ABORTED}[{}]{ABORTED:#}", status.as_str()),
        };
        let user = command.user.as_deref().map(|user| format!("{} ", Visible(user)));
        let mut lines = command.text.split('\n');
        writeln!(
            self.out,
            "{DIM}{:>4}{DIM:#}  {DIM}{}{DIM:#}{}{mark}",
            command.ordinal,
            user.unwrap_or_default(),
            Visible(lines.next().unwrap_or_default()),
        )?;
        for line in lines {
            writeln!(self.out, "      {DIM}|{DIM:#} {}", Visible(line))?;
        }
        Ok(())
    }

    fn output(&mut self, output: &CommandOutput) -> io::Result<()> {
        let gap = if self.transcript.is_some() { "\n" } else { "" };
        let (id, target) = (Visible(&output.command_id), Visible(&output.target));
        let artifact = Visible(&output.place.artifact);
        writeln!(self.out, "{gap}{BOLD}Run Command {id}{BOLD:#}  {DIM}{artifact}{DIM:#}")?;
        let (stream, bytes) = (&output.stream, output.bytes);
        writeln!(
            self.out,
            "      {stream} on {target}, {bytes} bytes; the command itself is not in it"
        )?;
        self.transcript = Some((output.place.artifact.to_string(), None));
        Ok(())
    }

    fn problem(&mut self, problem: &Problem) {
        tell_problem(problem);
    }
}

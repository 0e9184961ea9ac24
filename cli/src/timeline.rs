//! `ssm-audit timeline PATH…`

use std::io::{self, BufWriter, Write};

use ingest::{Limits, Problem, ProblemKind, TranscriptHead};
use model::{Command, Finding, Observation, Session, Visible};
use pipeline::scan::{Observer, Options, scan};
use report::mask::Masker;
use report::write::{Timeline, Transcript};

use crate::args::TimelineArgs;
use crate::exit::{Failure, Outcome, tell};
use crate::input::zone;

pub(crate) fn run(args: &TimelineArgs) -> Result<Outcome, Failure> {
    let zone = zone(&args.timezone)?;
    let options = Options {
        min_level: args.level,
        masker: Masker { reveal: args.reveal },
        timeline: true,
        limits: Limits { max_inflated: args.max_inflated, ..Limits::default() },
        ..Options::default()
    };
    let set = args.pack.compile()?;
    let found = ingest::source::find(&args.paths);
    if found.artifacts.is_empty() && found.unreadable.is_empty() {
        return Err(Failure::usage("there are no files in what was given"));
    }
    let out = Timeline::new(BufWriter::new(anstream::stdout()), zone);
    let mut watch = Watch { out, session: args.session.as_deref() };
    let scanned = scan(found, &set, &options, &mut watch)?;
    for session in &scanned.unrecorded {
        if watch.is_wanted(session) {
            watch.out.unrecorded(session)?;
        }
    }
    watch.out.finish()?;
    if watch.out.printed() == 0 {
        let what = args.session.as_ref().map_or_else(
            || "no sessions in what was given".to_owned(),
            |id| format!("no session `{}` in what was given", Visible(id)),
        );
        tell(&what);
    }
    Ok(if scanned.failed == 0 { Outcome::Done } else { Outcome::Incomplete })
}

struct Watch<'a, W> {
    out: Timeline<W>,
    /// The only session that is wanted.
    session: Option<&'a str>,
}

impl<W: Write> Watch<'_, W> {
    fn is_wanted(&self, session: &Session) -> bool {
        self.session.is_none_or(|wanted| wanted == session.id.as_str())
    }
}

fn transcript(head: &TranscriptHead) -> Transcript<'_> {
    Transcript {
        artifact: &head.place.artifact,
        form: head.form.as_str(),
        session_id: head.session_id.as_ref(),
        run_as: head.run_as.as_deref(),
        ended: head.ended.or(head.last_event),
        complete: head.complete,
        commands: head.commands,
    }
}

impl<W: Write> Observer for Watch<'_, W> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        let wanted = finding.session.as_deref().map_or(self.session.is_none(), |session| {
            self.session.is_none_or(|wanted| wanted == session.id.as_str())
        });
        if wanted { self.out.finding(finding) } else { Ok(()) }
    }

    fn command(
        &mut self,
        head: &TranscriptHead,
        session: &Session,
        command: &Command,
    ) -> io::Result<()> {
        if self.is_wanted(session) {
            self.out.command(&transcript(head), session, command)
        } else {
            Ok(())
        }
    }

    fn observation(
        &mut self,
        head: &TranscriptHead,
        session: &Session,
        observation: &Observation,
    ) -> io::Result<()> {
        if self.is_wanted(session) {
            self.out.observation(&transcript(head), session, observation)
        } else {
            Ok(())
        }
    }

    fn transcript(&mut self, head: &TranscriptHead, session: &Session) -> io::Result<()> {
        if self.is_wanted(session) { self.out.end(&transcript(head), session) } else { Ok(()) }
    }

    fn problem(&mut self, problem: &Problem) {
        if problem.kind == ProblemKind::Failed {
            let place = problem.place.to_string();
            tell(&format!("not read: {}: {}", Visible(&place), Visible(&problem.reason)));
        }
    }

    fn artifact(&mut self, _: u64) {}
}

//! Transcripts for measurements: seeded, the same bytes every time.
//!
//! - `chatty`: a build, whose output goes by line after line;
//! - `interactive`: short commands with typing errors, and short output;
//! - `full-screen`: a pager and an editor that paint page after page.

#![expect(clippy::format_push_string, reason = "how fast this writes does not matter")]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use fastrand::Rng;

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Chatty,
    Interactive,
    FullScreen,
}

/// Writes a transcript, raw bytes of a terminal.
#[derive(Parser)]
struct Args {
    kind: Kind,
    file: PathBuf,
    /// Size, in 10^6 bytes.
    #[arg(long, default_value_t = 200)]
    megabytes: u64,
}

const PROMPT: &str = "\x1b[?2004h\x1b]0;ops@ip-10-0-3-7: ~\x07\x1b[01;32mops@ip-10-0-3-7\x1b[00m:\x1b[01;34m~\x1b[00m$ ";
const ENTER: &str = "\r\n\x1b[?2004l\r";
const FILES: &[&str] = &["event", "socket", "thread", "timer", "buffer", "parser", "hash", "queue"];

fn chatty(out: &mut impl Write, rng: &mut Rng) -> io::Result<usize> {
    let mut written = 0;
    let mut say = |text: String| out.write_all(text.as_bytes()).map(|()| written += text.len());
    say(format!("{PROMPT}make -j8 all{ENTER}"))?;
    for _ in 0..2_000 {
        let file = FILES[rng.usize(0..FILES.len())];
        match rng.u8(0..20) {
            0 => say(format!(
                "src/{file}.c:{}:9: \x1b[01;35mwarning: \x1b[0munused variable\r\n",
                rng.u16(..)
            ))?,
            1 => say(format!("[{:3}%] Linking C static library lib{file}.a\r\n", rng.u8(0..100)))?,
            _ => say(format!(
                "gcc -c -O2 -g -Wall -Wextra -fPIC -I. -I./include -DNDEBUG -o build/{file}{}.o src/{file}.c\r\n",
                rng.u16(..)
            ))?,
        }
    }
    Ok(written)
}

fn interactive(out: &mut impl Write, rng: &mut Rng) -> io::Result<usize> {
    let file = FILES[rng.usize(0..FILES.len())];
    let typed = match rng.u8(0..5) {
        0 => format!("ls -l /srv/{file}"),
        1 => format!("cat /etc/{file}x\x08\x1b[K.conf | grep -v '^#'"),
        2 => format!("sudo systemctl sttaus\x08\x1b[K\x08\x1b[K\x08\x1b[K\x08\x1b[Katus {file}"),
        3 => format!("{file}\r\x1b[17Ctail -n 20 /var/log/{file}.log"),
        _ => "df -h".to_owned(),
    };
    let mut text = format!("{PROMPT}{typed}{ENTER}");
    for line in 0..rng.u8(0..8) {
        text += &format!(
            "-rw-r--r-- 1 root root {:6} Oct  5 09:{line:02} {file}.{line}\r\n",
            rng.u16(..)
        );
    }
    out.write_all(text.as_bytes())?;
    Ok(text.len())
}

fn full_screen(out: &mut impl Write, rng: &mut Rng) -> io::Result<usize> {
    let mut text = format!("{PROMPT}vim notes.txt{ENTER}\x1b[?1049h\x1b[1;40r\x1b[H\x1b[2J");
    for _ in 0..50 {
        for row in 1..=40 {
            let file = FILES[rng.usize(0..FILES.len())];
            text += &format!(
                "\x1b[{row};1H\x1b[38;5;{}m{file}\x1b[m {:5} and what belongs to it\x1b[K",
                rng.u8(..),
                rng.u16(..)
            );
        }
        text += "\x1b[41;1H\x1b[7m notes.txt \x1b[m\x1b[1;1H";
    }
    text += "\x1b[?1049l";
    out.write_all(text.as_bytes())?;
    Ok(text.len())
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut out = BufWriter::new(File::create(args.file)?);
    let mut rng = Rng::with_seed(7);
    let mut left = args.megabytes * 1_000_000;
    while left > 0 {
        let written = match args.kind {
            Kind::Chatty => chatty(&mut out, &mut rng)?,
            Kind::Interactive => interactive(&mut out, &mut rng)?,
            Kind::FullScreen => full_screen(&mut out, &mut rng)?,
        };
        left = left.saturating_sub(written as u64);
    }
    out.flush()
}

//! A command line → the programs that it starts.
//!
//! The line goes through a real parser of the shell's grammar (tree-sitter's, for bash and for PowerShell),
//! so that quotes, here-documents, substitutions and loops are what they are to the shell. Programs whose
//! arguments are again a command (`sudo`, `env`, `xargs`, `find -exec`, `ssh`, `bash -c` …) are looked through.
//! What the parser cannot follow is still one program, with the whole text. Depth, number and time are bounded.

mod lexer;
mod posix;
mod powershell;
mod words;
mod wrapper;

use std::ops::ControlFlow;

use model::ShellFamily;
use tree_sitter::{Language, Node, ParseOptions, Parser, Tree};

pub(crate) use lexer::{echo_after, is_incomplete, starts_a_shell, turns_history_off};

/// A program that a command line starts: the fields of Sigma's `process_creation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program's path; a bare name is put under `/usr/bin` or `C:\Windows\System32`, since a transcript
    /// cannot tell where the shell found it.
    pub image: String,
    /// The words as the program gets them, their quotes taken off, with a blank between them.
    pub command_line: String,
    /// What started it.
    pub parent_image: String,
    /// The user it was told to run as, where the line says (`sudo`, `sudo -u`, `su bob -c`).
    pub user: Option<String>,
}

/// Most programs taken from one line.
const MAX_PROGRAMS: usize = 64;
/// Deepest chain of wrappers and of lines within lines.
const MAX_DEPTH: usize = 8;
/// Longest line that is parsed, in bytes; a longer one is one program.
const MAX_LINE: usize = 16 << 10;
/// Most `|` in a line that is parsed: the parser's time grows with the square of a pipeline's length.
const MAX_PIPES: usize = 256;
/// How often the parser may report that it is still at work. It does so at steady intervals of its own work, so
/// that the same line always ends the same way.
const MAX_PROGRESS: usize = 2_000;

/// Takes lines apart. Holds the parsers, which can be used again and again.
pub struct Splitter {
    posix: Parser,
    powershell: Parser,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Splitter {
    /// A splitter for all shells.
    pub fn new() -> Self {
        let parser = |language: Language| {
            let mut parser = Parser::new();
            // Fails only for a grammar of another version of the library: then nothing is ever parsed, and every
            // line is one program. A test holds that it is not so.
            let _ = parser.set_language(&language);
            parser
        };
        Self {
            posix: parser(tree_sitter_bash::LANGUAGE.into()),
            powershell: parser(tree_sitter_powershell::LANGUAGE.into()),
        }
    }

    /// The programs of `line`, in order, a wrapper before what it wraps.
    pub fn programs(&mut self, line: &str, family: ShellFamily) -> Vec<Program> {
        let mut found = Found::default();
        let context = Context {
            family,
            parent: match family {
                ShellFamily::Posix => posix::SHELL,
                ShellFamily::PowerShell => powershell::SHELL,
            },
            user: None,
            depth: 0,
        };
        self.line(line, &context, &mut found);
        if found.truncated {
            // What was left out is in here.
            found.programs.push(context.program(&whole(line)));
        }
        found.programs
    }

    fn line(&mut self, line: &str, context: &Context<'_>, found: &mut Found) {
        if line.trim().is_empty() || found.is_full() {
            return;
        }
        let before = found.programs.len();
        let followed = context.depth <= MAX_DEPTH
            && line.len() <= MAX_LINE
            && memchr::memchr_iter(b'|', line.as_bytes()).count() <= MAX_PIPES
            && match context.family {
                ShellFamily::Posix => match parse(&mut self.posix, line) {
                    Some(tree) => posix::programs(self, &tree, line, context, found),
                    None => false,
                },
                ShellFamily::PowerShell => match parse(&mut self.powershell, line) {
                    Some(tree) => powershell::programs(self, &tree, line, context, found),
                    None => false,
                },
            };
        let comment = line.lines().all(|line| line.trim_start().starts_with('#'));
        if !followed && !comment && found.programs.len() == before {
            found.push(context, &whole(line));
        }
    }
}

/// A line that could not be taken apart, as words.
fn whole(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Parses within bounded time.
fn parse(parser: &mut Parser, line: &str) -> Option<Tree> {
    let mut progress = 0;
    let mut goes_on = |_: &tree_sitter::ParseState| {
        progress += 1;
        if progress > MAX_PROGRESS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut goes_on);
    let bytes = line.as_bytes();
    let tree = parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        None,
        Some(options),
    );
    if tree.is_none() {
        // Otherwise the next line would be taken for the rest of this one.
        parser.reset();
    }
    tree
}

/// In what a line or a program is started.
#[derive(Clone, Copy)]
struct Context<'a> {
    family: ShellFamily,
    parent: &'a str,
    user: Option<&'a str>,
    depth: usize,
}

impl Context<'_> {
    fn program(&self, words: &[String]) -> Program {
        let first = words.first().map_or("", String::as_str);
        let (image, command_line) = match self.family {
            ShellFamily::Posix => (posix::image(first), words.join(" ")),
            ShellFamily::PowerShell => (powershell::image(first), words.join(" ")),
        };
        Program {
            image,
            command_line,
            parent_image: self.parent.to_owned(),
            user: self.user.map(str::to_owned),
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    programs: Vec<Program>,
    truncated: bool,
}

impl Found {
    const fn is_full(&self) -> bool {
        self.programs.len() >= MAX_PROGRAMS
    }

    /// Adds a program; returns its image, unless there are too many.
    fn push(&mut self, context: &Context<'_>, words: &[String]) -> Option<String> {
        if self.is_full() {
            self.truncated = true;
            return None;
        }
        let program = context.program(words);
        let image = program.image.clone();
        self.programs.push(program);
        Some(image)
    }
}

/// Visits every node, parents first, without recursion.
fn walk<'t>(tree: &'t Tree, mut visit: impl FnMut(Node<'t>)) {
    let mut cursor = tree.walk();
    loop {
        visit(cursor.node());
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;

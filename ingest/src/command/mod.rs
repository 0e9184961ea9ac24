//! Lines → the commands that a person ran.
//!
//! ```text
//! terminal::Event ──▶ Reader ──▶ Command ──simple──▶ Program (what the line starts)
//!                      prompt: where the prompt ends and the typing begins
//!                      history: what the shell made of `sudo !!`
//!                      line: what a line shows by itself
//!                      margin: where a stream's lines were wrapped, and what they printed
//!                      mend: what the stream's stripping has done to a line
//! ```
//!
//! What is known and from where: a shell with bracketed paste (bash ≥ 5.1) says itself when it begins to
//! read a line and when it is done: [`Confidence::Certain`]. Without these marks (dash, older bash) a line is
//! a command if it begins with a prompt that this session has shown before, [`Confidence::Likely`], or with
//! something shaped like one, [`Confidence::Guess`].

mod history;
mod line;
mod margin;
mod mend;
mod prompt;
mod reader;
mod repl;
pub mod simple;

pub use prompt::{Prompt, Template};
pub use reader::{Reader, Told};

#[expect(unused_imports, reason = "named in the documentation above")]
use model::Confidence;

//! Bash's tree → programs.

use tree_sitter::{Node, Tree};

use super::words::unquoted;
use super::wrapper::{self, Inner};
use super::{Context, Found, MAX_DEPTH, Splitter, walk};

/// The shell that a line is typed into; which one it is, a transcript seldom tells.
pub(super) const SHELL: &str = "/usr/bin/bash";

/// The path of a program that is called by this name.
pub(super) fn image(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("/usr/bin/{name}") }
}

/// Takes the programs of a line. Returns whether all of it could be followed.
pub(super) fn programs(
    splitter: &mut Splitter,
    tree: &Tree,
    line: &str,
    context: &Context<'_>,
    found: &mut Found,
) -> bool {
    let mut commands: Vec<Simple> = Vec::new();
    walk(tree, |node| {
        if commands.len() <= super::MAX_PROGRAMS {
            match node.kind() {
                "command" | "declaration_command" | "unset_command" => {
                    commands.push(Simple::of(node, line));
                }
                // `cmd <<EOF`, `cmd <<<word`: the body belongs to the command in front.
                "heredoc_body" | "herestring_redirect" => {
                    let text = &line[node.byte_range()];
                    let text = text.strip_prefix("<<<").map_or_else(
                        || text.to_owned(),
                        |word| unquoted(word.trim_start()).join(" "),
                    );
                    // Only the first: a later one would be input to something else.
                    if let Some(command) = commands.last_mut()
                        && command.input.is_none()
                    {
                        command.input = Some(text);
                    }
                }
                _ => {}
            }
        }
    });
    // Of what is not whole, the text is there as well: the grammar may have lost some of it.
    if tree.root_node().has_error() && !commands.is_empty() {
        found.push(context, &super::whole(line));
    }
    for command in &commands {
        start(splitter, &command.words, command.input.as_deref(), context, found);
    }
    !tree.root_node().has_error() || !commands.is_empty()
}

/// A simple command of the grammar.
struct Simple {
    words: Vec<String>,
    /// What it is given on its standard input, where the line has it.
    input: Option<String>,
}

impl Simple {
    fn of(node: Node<'_>, line: &str) -> Self {
        let mut words = Vec::new();
        let declares = node.kind() != "command";
        let mut cursor = node.walk();
        let mut at = cursor.goto_first_child();
        while at {
            let child = cursor.node();
            let text = &line[child.byte_range()];
            let own = declares || matches!(cursor.field_name(), Some("name" | "argument"));
            if own && !child.is_error() {
                words.extend(unquoted(text));
            }
            at = cursor.goto_next_sibling();
        }
        Self { words, input: None }
    }
}

/// A program is started, and what it starts in turn.
fn start(
    splitter: &mut Splitter,
    words: &[String],
    input: Option<&str>,
    context: &Context<'_>,
    found: &mut Found,
) {
    // In front of a command that a wrapper passes on.
    let skip = words.iter().take_while(|word| word.is_empty()).count();
    let words = &words[skip..];
    if words.is_empty() {
        return;
    }
    let Some(image) = found.push(context, words) else { return };
    if context.depth >= MAX_DEPTH {
        return;
    }
    for Inner { what, user } in wrapper::inner(words, input) {
        let inner = Context {
            parent: &image,
            user: user.as_deref().or(context.user),
            depth: context.depth + 1,
            ..*context
        };
        match what {
            wrapper::What::Words(words) => start(splitter, &words, input, &inner, found),
            wrapper::What::Line(line) => splitter.line(&line, &inner, found),
        }
    }
}

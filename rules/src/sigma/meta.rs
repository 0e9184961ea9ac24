//! What a document says of itself: the attributes that rules, correlations and filters share.

use std::ops::Range;
use std::sync::Arc;

use model::{Level, RuleInfo};

use super::spelling;
use super::yaml::{Node, Value};
use crate::diagnostic::{Diagnostic, Source};

/// How far a rule is to be trusted (specification, "Status").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// For production.
    Stable,
    /// Mostly stable.
    Test,
    /// May be noisy.
    Experimental,
    /// Replaced by another.
    Deprecated,
    /// Cannot be used as it is.
    Unsupported,
}

impl Status {
    const ALL: [(&'static str, Self); 5] = [
        ("stable", Self::Stable),
        ("test", Self::Test),
        ("experimental", Self::Experimental),
        ("deprecated", Self::Deprecated),
        ("unsupported", Self::Unsupported),
    ];

    /// The word that Sigma uses.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, status)| *status == self).map_or("", |(word, _)| word)
    }
}

/// Another rule that has to do with this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Its id.
    pub id: String,
    /// `derived`, `obsolete`, `merged`, `renamed` or `similar`.
    pub kind: String,
}

/// The attributes that every kind of document may have.
#[derive(Clone, Debug)]
pub struct Meta {
    /// What findings say of it. `id` is the title where the document has none.
    pub info: Arc<RuleInfo>,
    /// Has the document an `id` of its own?
    pub has_id: bool,
    /// Has it a `level` of its own?
    pub has_level: bool,
    /// `name`: what correlations and filters may call it.
    pub name: Option<String>,
    /// `status`.
    pub status: Option<Status>,
    /// `related`.
    pub related: Vec<Related>,
    /// `taxonomy`; the default is `sigma`.
    pub taxonomy: Option<String>,
    /// What it sees and why it matters.
    pub description: Option<String>,
    /// `license`.
    pub license: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Who answers for it (a field of this product's own).
    pub owner: Option<String>,
    /// `references`.
    pub references: Vec<String>,
    /// `date`.
    pub date: Option<String>,
    /// `modified`.
    pub modified: Option<String>,
    /// The day on which it ends to be right (a field of this product's own).
    pub expires: Option<String>,
    /// `fields`: worth showing to whoever looks into a match.
    pub fields: Vec<String>,
    /// When it is wrong.
    pub false_positives: Vec<String>,
    /// What to do when it fires (a field of this product's own).
    pub response: Vec<String>,
    /// `scope`.
    pub scope: Vec<String>,
    /// Everything else, as it stands.
    pub custom: Vec<(String, Node)>,
    /// Where it was read.
    pub source: Arc<Source>,
    /// Where its title stands: the place of what is wrong with the document as a whole.
    pub title_span: Range<usize>,
    /// The document's bytes.
    pub span: Range<usize>,
}

/// Attributes that mean something here, beside those that a kind of document has for itself.
const KNOWN: [&str; 21] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "owner",
    "response",
    "expires",
    "sigma-version",
];

/// Those that are one text; what is not is as if it was not there.
const SINGLE: [&str; 10] = [
    "title",
    "id",
    "name",
    "taxonomy",
    "description",
    "license",
    "author",
    "owner",
    "date",
    "expires",
];

impl Meta {
    /// The names by which others may refer to it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.name.as_deref().into_iter().chain([self.info.id.as_str()])
    }
}

/// Reads what a document says of itself; `own` are the attributes of its kind.
pub(super) fn read(
    document: &Node,
    source: &Arc<Source>,
    own: &[&str],
    problems: &mut Vec<Diagnostic>,
) -> Option<Meta> {
    let error =
        |node: &Node, message: String| Diagnostic::error(source, node.span.clone(), message);
    let text = |key: &str| {
        document.get(key).and_then(|node| node.scalar_text(source)).filter(|text| !text.is_empty())
    };
    let texts = |key: &str| -> Vec<String> {
        let items = document.get(key).map(Node::items).unwrap_or_default();
        items.iter().filter_map(|node| node.scalar_text(source)).collect()
    };
    for key in SINGLE {
        if let Some(node) = document.get(key)
            && node.scalar_text(source).is_none()
            && !matches!(node.value, Value::Null)
        {
            let message = format!("`{key}` is one text, this is {}", node.kind());
            problems.push(error(node, message).warning());
        }
    }
    // `- Ask the person: who` is a map in YAML, and not meant to be one.
    for key in ["response", "falsepositives", "references", "tags", "fields"] {
        let items = document.get(key).map(Node::items).unwrap_or_default();
        for item in items.iter().filter(|item| item.scalar_text(source).is_none()) {
            let message = format!("an item of `{key}` is text, this is {}", item.kind());
            problems.push(
                error(item, message)
                    .with_help("text with a colon and a blank in it takes quotes")
                    .warning(),
            );
        }
    }
    let level = match document.get("level") {
        None => Level::Medium,
        Some(node) => match node.scalar_text(source).unwrap_or_default().parse::<Level>() {
            Ok(level) => level,
            Err(unknown) => {
                problems.push(error(node, unknown.to_string()));
                Level::Medium
            }
        },
    };
    let status = document.get("status").and_then(|node| {
        let word = node.scalar_text(source).unwrap_or_default();
        let found = Status::ALL.into_iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let known: Vec<&str> = Status::ALL.iter().map(|(known, _)| *known).collect();
            problems.push(
                error(node, format!("`{word}` is not a status"))
                    .with_help(format!("statuses are {}", known.join(", "))),
            );
        }
        found.map(|(_, status)| status)
    });
    let mut related = Vec::new();
    for item in document.get("related").map(Node::items).unwrap_or_default() {
        let part = |key: &str| item.get(key).and_then(|node| node.scalar_text(source));
        match (part("id"), part("type")) {
            (Some(id), Some(kind)) => related.push(Related { id, kind }),
            _ => problems
                .push(error(item, "a related rule has an `id` and a `type`".into()).warning()),
        }
    }
    let mut custom = Vec::new();
    if let Value::Map(entries) = &document.value {
        for (key, value) in entries {
            let Some(name) = key.scalar_text(source) else { continue };
            if KNOWN.contains(&name.as_str()) || own.contains(&name.as_str()) {
                continue;
            }
            // Custom attributes are allowed; one that is nearly a known one is likely a slip.
            let known = KNOWN.iter().chain(own).copied();
            if let Some(near) = spelling::nearest(&name, known) {
                problems.push(
                    error(key, format!("unknown attribute `{name}`"))
                        .with_help(format!("did you mean `{near}`?"))
                        .warning(),
                );
            }
            custom.push((name, value.clone()));
        }
    }
    let Some(title) = text("title") else {
        let span = document.span.start..document.span.start + 1;
        problems.push(Diagnostic::error(source, span, "a rule needs a `title`"));
        return None;
    };
    let id = text("id");
    Some(Meta {
        has_id: id.is_some(),
        has_level: document.get("level").is_some(),
        info: Arc::new(RuleInfo {
            id: id.unwrap_or_else(|| title.clone()),
            title,
            level,
            tags: texts("tags"),
        }),
        name: text("name"),
        status,
        related,
        taxonomy: text("taxonomy"),
        description: text("description").map(|text| text.trim().to_owned()),
        license: text("license"),
        author: text("author"),
        owner: text("owner"),
        references: texts("references"),
        date: text("date"),
        modified: text("modified"),
        expires: text("expires"),
        fields: texts("fields"),
        false_positives: texts("falsepositives"),
        response: texts("response"),
        scope: texts("scope"),
        custom,
        source: Arc::clone(source),
        title_span: document.get("title").map_or(document.span.clone(), |node| node.span.clone()),
        span: extent(document, source),
    })
}

/// The bytes of a document: to the line that begins the next one. A map's own span does not tell where it ends.
fn extent(document: &Node, source: &Source) -> Range<usize> {
    let start = document.span.start;
    let rest = source.text.get(start..).unwrap_or_default();
    let next = rest
        .match_indices("\n---")
        .map(|(at, _)| at + 1)
        .find(|at| rest[at + 3..].chars().next().is_none_or(char::is_whitespace));
    start..next.map_or(source.text.len(), |next| start + next)
}

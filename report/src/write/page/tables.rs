//! Tables that can be searched and sorted: data in the page, of which a hundred rows stand in the document.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use super::{class, number};

/// What a column holds: how it is set, and sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A time, as text that sorts.
    Time,
    /// Words.
    Text,
    /// Long words.
    Long,
    /// An id, an ARN, a command.
    Id,
    /// A number.
    Number,
    /// `informational` to `critical`.
    Level,
    /// A state of coverage, or another gap.
    Coverage,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Text => "",
            Self::Long => "long",
            Self::Id => "id",
            Self::Number => "number",
            Self::Level => "level",
            Self::Coverage => "coverage",
        }
    }
}

/// A cell.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Words. Made visible by whoever makes the cell.
    Text(String),
    /// A number.
    Number(u64),
    /// Nothing is known.
    None,
}

impl Cell {
    /// Foreign text: nothing in it hides.
    pub fn of(text: Option<&str>) -> Self {
        text.map_or(Self::None, |text| Self::Text(model::Visible(text).to_string()))
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(count) => number(*count),
            Self::None => String::new(),
        }
    }
}

/// A table.
pub struct Table {
    /// Its name: an id in the page.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it tells, and where the rest is.
    pub told: String,
    /// What is said where there are no rows.
    pub none: &'static str,
    /// Its columns.
    pub columns: &'static [(&'static str, &'static str, Kind)],
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// By row: the number of the section that tells more.
    pub sections: Vec<Option<usize>>,
    /// How many rows there are in all.
    pub total: u64,
    /// The file that has all of them.
    pub file: &'static str,
}

/// Rows in the document at a time.
const SIZE: usize = 100;

impl Table {
    pub(super) fn markup(&self) -> Markup {
        let (name, title) = (self.name, self.title);
        if self.rows.is_empty() {
            return html! {
                section aria-labelledby=(name) { h2 id=(name) { (title) } p { (self.none) } }
            };
        }
        let count = self.rows.len();
        html! {
            section data-table=(name) aria-labelledby=(name) {
                h2 id=(name) { (title) }
                p { (self.told)
                    @if (count as u64) < self.total {
                        " Of " (number(self.total)) " rows " (number(count as u64)) " are here; " code { (self.file) } " has all."
                    } @else { " The same rows are in " code { (self.file) } "." } }
                div.tools hidden {
                    label for={ "search-" (name) } { "Search" }
                    input type="search" id={ "search-" (name) } autocomplete="off" spellcheck="false";
                    output aria-live="polite" {}
                }
                div.scroll tabindex="0" role="group" aria-label={ "Table: " (title) } {
                    table {
                        thead { tr { @for (key, label, kind) in self.columns {
                            th scope="col" data-key=(key) data-kind=(kind.as_str()) class=[(*kind == Kind::Number).then_some("number")] {
                                span { (label) } button type="button" hidden { (label) }
                            }
                        } } }
                        tbody { @for (row, section) in self.rows.iter().zip(&self.sections).take(SIZE) {
                            tr { @for (nth, (cell, (.., kind))) in row.iter().zip(self.columns).enumerate() {
                                (data_cell(cell, *kind, section.filter(|_| nth == 0)))
                            } }
                        } }
                    }
                }
                div.tools hidden {
                    button type="button" data-page="previous" { "Previous" }
                    button type="button" data-page="next" { "Next" }
                }
                @if count > SIZE {
                    noscript { p { "Without scripts the first hundred rows are shown." } }
                }
            }
        }
    }

    /// The rows for the script. In JSON `<` may be written as an escape, and so nothing in it ends the element.
    pub(super) fn data(&self) -> Markup {
        #[derive(Serialize)]
        struct Data<'a> {
            columns: Vec<&'a str>,
            rows: &'a [Vec<Cell>],
            sections: &'a [Option<usize>],
            colours: std::collections::BTreeMap<&'a str, &'a str>,
        }
        if self.rows.is_empty() {
            return html! {};
        }
        let mut colours = std::collections::BTreeMap::new();
        for row in &self.rows {
            for (cell, (.., kind)) in row.iter().zip(self.columns) {
                if let (Cell::Text(word), Kind::Level | Kind::Coverage) = (cell, kind) {
                    colours.entry(word.as_str()).or_insert_with(|| class(word));
                }
            }
        }
        let data = Data {
            columns: self.columns.iter().map(|(key, ..)| *key).collect(),
            rows: &self.rows,
            sections: &self.sections,
            colours,
        };
        let json = serde_json::to_string(&data).expect("plain values are JSON");
        let json = json
            .replace('<', "\\u003c")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029");
        html! { script type="application/json" data-rows=(self.name) { (PreEscaped(json)) } }
    }
}

fn data_cell(cell: &Cell, kind: Kind, section: Option<usize>) -> Markup {
    let text = cell.text();
    let is_word = matches!(kind, Kind::Level | Kind::Coverage);
    let set = Some(kind.as_str()).filter(|set| !set.is_empty() && !is_word);
    html! {
        td class=[set] {
            @if let Some(number) = section { a href={ "#session-" (number) } { (text) } }
            @else if is_word { span class={ "level " (class(&text)) } { (text) } }
            @else { (text) }
        }
    }
}

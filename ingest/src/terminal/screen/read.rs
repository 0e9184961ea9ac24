//! What stands on a screen.

use super::{Position, Screen};
use crate::terminal::grid::{Cell, Glyph, Row};

impl Screen {
    /// The text of a row between the borders (`│`) around a column, and the column where it begins.
    pub(crate) fn pane(&self, at: Position) -> Option<(usize, String)> {
        let row = self.grid().get(at.row)?;
        let border = |cell: &Cell| cell.glyph == Glyph::Char('│');
        let front = &row.cells[..at.column.min(row.cells.len())];
        let from = front.iter().rposition(border).map_or(0, |border| border + 1);
        let to = row.cells[from..].iter().position(border).map_or(row.cells.len(), |at| from + at);
        let mut text = String::new();
        self.push_row(row, from, to, &mut text);
        Some((from, text))
    }

    /// Text of a row; `None` if it is not kept.
    pub fn row_text(&self, row: u64) -> Option<String> {
        let mut text = String::new();
        self.push_row(self.grid().get(row)?, 0, usize::MAX, &mut text);
        Some(text)
    }

    /// Does the row's text go on in the next?
    pub fn is_wrapped(&self, row: u64) -> bool {
        self.grid().get(row).is_some_and(|row| row.wrapped)
    }

    /// Number of the first row kept.
    pub fn first_row(&self) -> u64 {
        self.grid().first()
    }

    /// One past the number of the last row.
    pub fn end_row(&self) -> u64 {
        self.grid().end()
    }

    fn push_row(&self, row: &Row, from: usize, to: usize, out: &mut String) {
        let to = to.min(row.cells.len());
        for cell in row.cells.get(from.min(to)..to).unwrap_or_default() {
            match cell.glyph {
                Glyph::Blank => out.push(' '),
                Glyph::Char(c) => out.push(c),
                Glyph::Cluster(at) => {
                    out.push_str(self.clusters.get(at as usize).map_or(" ", String::as_str));
                }
                Glyph::Right => {}
            }
        }
    }

    /// The rows of the page, for a screen of known size.
    pub fn visible(&self) -> Vec<String> {
        let (page, end) = (self.page(), self.grid().end());
        (page..end).filter_map(|row| self.row_text(row)).collect()
    }

    /// The text from one place to another, wrapped rows joined; a line feed where a row ends.
    pub fn text(&self, from: Position, to: Position) -> String {
        let mut text = String::new();
        for number in from.row..=to.row {
            let Some(row) = self.grid().get(number) else { continue };
            let start = if number == from.row { from.column } else { 0 };
            let end = if number == to.row { to.column } else { usize::MAX };
            self.push_row(row, start, end, &mut text);
            if number < to.row && !row.wrapped {
                text.push('\n');
            }
        }
        text
    }

    /// The line that a row belongs to, wrapped rows joined: its first row, and its text up to and with that row.
    pub fn line(&self, row: u64) -> (u64, String) {
        let mut first = row;
        while first > self.first_row() && self.is_wrapped(first - 1) {
            first -= 1;
        }
        let to = Position { row, column: usize::MAX };
        (first, self.text(Position { row: first, column: 0 }, to))
    }

    /// Is there text below this row?
    pub fn has_text_below(&self, row: u64) -> bool {
        let is_blank = |row: &Row| {
            row.cells.iter().all(|cell| matches!(cell.glyph, Glyph::Blank | Glyph::Char(' ')))
        };
        (row + 1..self.end_row()).any(|row| self.grid().get(row).is_some_and(|row| !is_blank(row)))
    }
}

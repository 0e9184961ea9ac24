//! Characters that are printed, and the margin that shows by them.

use unicode_width::UnicodeWidthChar as _;

use super::{MAX_CLUSTERS, MAX_MARKS, Margin, Screen};
use crate::terminal::grid::{Cell, Glyph, MAX_COLUMNS};

impl Screen {
    /// A character is printed.
    pub(crate) fn print(&mut self, c: char) {
        // Not where commands are read: whoever switches the set would change what they look like.
        let draws = self.size.is_some() || self.on_alternate;
        let c = if draws && self.cursor.drawing[usize::from(self.cursor.shifted)] {
            drawing(c)
        } else {
            c
        };
        let Some(wide) = c.width() else { return };
        if wide == 0 {
            self.combine(c);
            return;
        }
        self.see_margin(c);
        let width = self.width();
        if self.autowrap && (self.cursor.past_margin || self.cursor.column + wide > width) {
            self.row().wrapped = true;
            self.cursor.column = 0;
            self.wrap_down();
        }
        self.cursor.past_margin = false;
        if self.cursor.column + wide > width {
            self.cursor.column = width.saturating_sub(wide);
        }
        let (column, insert) = (self.cursor.column, self.insert);
        let hidden = self.cursor.hidden;
        if column + wide > MAX_COLUMNS {
            return;
        }
        let row = self.row();
        if insert {
            row.insert(column, wide, width);
        }
        row.grow(column + wide);
        row.split_wide(column);
        if column + wide < row.cells.len() {
            row.split_wide(column + wide);
        }
        row.cells[column] = Cell { glyph: Glyph::Char(c), hidden };
        if wide == 2 {
            row.cells[column + 1] = Cell { glyph: Glyph::Right, hidden };
        }
        let at_end = row.cells.len() == column + wide;
        self.cursor.column += wide;
        if self.cursor.column >= width {
            self.cursor.column = width - 1;
            self.cursor.past_margin = self.autowrap;
        }
        self.last = Some(c);
        self.margin = if at_end { Margin::Written(c) } else { Margin::No };
    }

    /// Prints a text of ASCII letters at once, where nothing is in its way: neither a margin, nor another mode, nor what
    /// is hidden. Returns whether it did.
    pub(crate) fn print_ascii(&mut self, text: &[u8]) -> bool {
        let (column, width) = (self.cursor.column, self.width());
        let plain = !self.insert
            && !self.cursor.hidden
            && !self.cursor.past_margin
            && !self.cursor.drawing[usize::from(self.cursor.shifted)]
            && !matches!(self.margin, Margin::Returned(_));
        // Not up to the margin: what happens there is for one letter at a time.
        if !plain || column + text.len() >= width.min(MAX_COLUMNS) {
            return false;
        }
        let Some(last) = text.last().copied().map(char::from) else { return true };
        let end = column + text.len();
        let row = self.row();
        row.grow(end);
        row.split_wide(column);
        if end < row.cells.len() {
            row.split_wide(end);
        }
        for (cell, byte) in row.cells[column..end].iter_mut().zip(text) {
            *cell = Cell { glyph: Glyph::Char(char::from(*byte)), hidden: false };
        }
        let at_end = row.cells.len() == end;
        self.cursor.column = end;
        self.last = Some(last);
        self.margin = if at_end { Margin::Written(last) } else { Margin::No };
        true
    }

    /// Sees the wrap of a line editor on a screen of unknown width.
    fn see_margin(&mut self, next: char) {
        let Margin::Returned(c) = self.margin else { return };
        self.margin = Margin::No;
        if self.size.is_some() || self.on_alternate || !(c == ' ' || c == next) {
            return;
        }
        let length = self.row().cells.len();
        // One character past the margin, and a margin of some width.
        let Some(width) = length.checked_sub(c.width().unwrap_or(1)).filter(|&w| w >= 8) else {
            return;
        };
        // A blank in front of a blank is text, not a margin.
        let before = self.row().cells[width - 1].glyph;
        if c == ' '
            && matches!(before, Glyph::Blank | Glyph::Char(' '))
            && self.seen_width != Some(width)
        {
            return;
        }
        // A search of the history, begun on an empty line, is painted over the prompt.
        let prompt = matches!(before, Glyph::Char('$' | '#' | '%' | '>' | '❯' | 'λ' | '➜'));
        if c == ' ' && next == '(' && prompt {
            return;
        }
        self.seen_width = Some(width);
        let row = self.row();
        row.cells.truncate(width);
        row.wrapped = true;
        self.cursor.column = 0;
        self.wrap_down();
    }

    fn combine(&mut self, mark: char) {
        let back = usize::from(!self.cursor.past_margin);
        let Some(mut column) = self.cursor.column.checked_sub(back) else { return };
        if self.row().cells.get(column).is_some_and(|cell| cell.is_wide_half()) {
            column = column.saturating_sub(1);
        }
        let Some(cell) = self.row().cells.get(column).copied() else { return };
        let mut text = match cell.glyph {
            Glyph::Char(c) => c.to_string(),
            Glyph::Cluster(at) => self.clusters.get(at as usize).cloned().unwrap_or_default(),
            Glyph::Blank => " ".to_owned(),
            Glyph::Right => return,
        };
        if text.chars().count() > MAX_MARKS || self.clusters.len() >= MAX_CLUSTERS {
            return;
        }
        text.push(mark);
        self.clusters.push(text);
        let glyph = Glyph::Cluster(u32::try_from(self.clusters.len() - 1).unwrap_or(0));
        self.row().cells[column] = Cell { glyph, ..cell };
    }
}

/// DEC special graphics: line drawing.
const fn drawing(c: char) -> char {
    match c {
        '`' => '◆',
        '_' => ' ',
        'a' => '▒',
        'b' => '\u{2409}',
        'c' => '\u{240c}',
        'd' => '\u{240d}',
        'e' => '\u{240a}',
        'f' => '°',
        'g' => '±',
        'h' => '\u{2424}',
        'i' => '\u{240b}',
        'j' => '┘',
        'k' => '┐',
        'l' => '┌',
        'm' => '└',
        'n' => '┼',
        'o' => '⎺',
        'p' => '⎻',
        'q' => '─',
        'r' => '⎼',
        's' => '⎽',
        't' => '├',
        'u' => '┤',
        'v' => '┴',
        'w' => '┬',
        'x' => '│',
        'y' => '≤',
        'z' => '≥',
        '{' => 'π',
        '|' => '≠',
        '}' => '£',
        '~' => '·',
        c => c,
    }
}

//! The screen: what the bytes did to it, for a window of any size, known or not.
//!
//! No recording tells the window's size (FORMATS A12). Of a screen of unknown size, rows are as long as they
//! get, and there are as many as are written to. The width comes out as soon as a line editor wraps: it
//! writes past the margin to make the terminal wrap and returns to the row's start, which is seen here as a
//! carriage return behind a blank, or behind a character that comes again. From then on the terminal's own
//! wrapping is done at that width.

mod sequences;

use unicode_width::UnicodeWidthChar as _;

use super::grid::{Cell, Glyph, Grid, MAX_COLUMNS, Row};

/// A window's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

/// A place on the main or the alternate screen: row, counted from the first that there ever was, and column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Row.
    pub row: u64,
    /// Column.
    pub column: usize,
}

/// Rows kept of a screen of unknown size.
const KEEP: usize = 600;
/// Most clusters of combining characters told apart.
const MAX_CLUSTERS: usize = 1 << 16;
/// Most marks on one character.
const MAX_MARKS: usize = 16;

#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    row: u64,
    column: usize,
    /// The last column was just written: the next character wraps first.
    past_margin: bool,
    origin: bool,
    /// The screen's, when the cursor was saved.
    depth: i64,
    /// Printed invisibly: concealed, or in the colour of the ground.
    hidden: bool,
    concealed: bool,
    /// Foreground and ground, as numbers that are equal for equal colours; `None`: the terminal's own.
    colours: [Option<u32>; 2],
    /// Which of G0 and G1 is in use, and which of them are line drawing.
    shifted: bool,
    drawing: [bool; 2],
}

/// What happened since the last print, on a screen of unknown width: needed to see a wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Margin {
    /// Nothing of interest.
    No,
    /// This character was written at the row's end.
    Written(char),
    /// Then came a carriage return.
    Returned(char),
}

/// A screen.
pub struct Screen {
    size: Option<Size>,
    /// The width that wrapping has shown, where the size is not known.
    seen_width: Option<usize>,
    main: Grid,
    alternate: Grid,
    on_alternate: bool,
    cursor: Cursor,
    saved: [Cursor; 2],
    /// First row of what an absolute position counts from.
    page: [u64; 2],
    /// Scroll region, counted from the page; `None`: to the last row.
    top: usize,
    bottom: Option<usize>,
    autowrap: bool,
    insert: bool,
    newline: bool,
    /// The cursor is not shown.
    invisible: bool,
    tabs: Option<Vec<bool>>,
    last: Option<char>,
    clusters: Vec<String>,
    margin: Margin,
    /// How many rows the cursor is below where the last line feed put it, and the most that it was above since this
    /// was asked.
    depth: i64,
    peak: u64,
}

impl Screen {
    /// An empty screen.
    pub fn new(size: Option<Size>) -> Self {
        let rows = size.map_or(1, |size| size.rows);
        Self {
            size,
            seen_width: None,
            main: Grid::new(rows),
            alternate: Grid::new(rows),
            on_alternate: false,
            cursor: Cursor::default(),
            saved: [Cursor::default(); 2],
            page: [0; 2],
            top: 0,
            bottom: None,
            autowrap: true,
            insert: false,
            newline: false,
            invisible: false,
            tabs: None,
            last: None,
            clusters: Vec::new(),
            margin: Margin::No,
            depth: 0,
            peak: 0,
        }
    }

    /// Is a full-screen program drawing?
    pub const fn is_alternate(&self) -> bool {
        self.on_alternate
    }

    /// Is the cursor shown?
    pub(crate) const fn shows_cursor(&self) -> bool {
        !self.invisible
    }

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

    /// Is what is printed now invisible?
    pub(crate) const fn conceals(&self) -> bool {
        self.cursor.hidden
    }

    /// Is the cursor above a line that it has left?
    pub fn is_raised(&self) -> bool {
        self.depth < 0
    }

    /// How many lines the cursor has climbed at most, since this was last asked.
    pub fn take_climb(&mut self) -> u64 {
        std::mem::replace(
            &mut self.peak,
            if self.depth < 0 { self.depth.unsigned_abs() } else { 0 },
        )
    }

    /// Here is where a line begins: nothing was climbed.
    pub const fn land(&mut self) {
        (self.depth, self.peak) = (0, 0);
    }

    const fn climb(&mut self, lines: u64) {
        if !self.on_alternate {
            self.depth = self.depth.saturating_sub_unsigned(lines);
            if self.depth < 0 && self.depth.unsigned_abs() > self.peak {
                self.peak = self.depth.unsigned_abs();
            }
        }
    }

    /// Where the cursor is.
    pub const fn position(&self) -> Position {
        Position { row: self.cursor.row, column: self.cursor.column }
    }

    /// The width that a line editor's wrapping has shown.
    pub(crate) const fn seen_width(&self) -> Option<usize> {
        self.seen_width
    }

    /// The width, as far as it is known.
    fn width(&self) -> usize {
        let width = self.size.map(|size| size.columns).or(self.seen_width);
        width.unwrap_or(MAX_COLUMNS)
    }

    fn keep(&self) -> usize {
        self.size.map_or(KEEP, |size| size.rows)
    }

    fn grid(&self) -> &Grid {
        if self.on_alternate { &self.alternate } else { &self.main }
    }

    fn grid_mut(&mut self) -> &mut Grid {
        if self.on_alternate { &mut self.alternate } else { &mut self.main }
    }

    fn page(&self) -> u64 {
        let page = self.page[usize::from(self.on_alternate)];
        // Of a screen of known size, the page is what is on it.
        if self.size.is_some() { self.grid().first() } else { page }
    }

    /// The cursor's row.
    fn row(&mut self) -> &mut Row {
        let (row, keep) = (self.cursor.row, self.keep());
        self.grid_mut().row(row, keep)
    }

    /// Last row of the scroll region.
    fn bottom(&self) -> u64 {
        let page = self.page();
        match (self.bottom, self.size) {
            (Some(bottom), _) => page + bottom as u64,
            (None, Some(size)) => page + size.rows as u64 - 1,
            (None, None) => u64::MAX,
        }
    }

    fn top(&self) -> u64 {
        self.page() + self.top as u64
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

    /// Is the cursor at the start of a row without text, on a main screen in its ordinary state?
    pub(crate) fn is_at_empty_row(&self) -> bool {
        let cursor = &self.cursor;
        !self.on_alternate
            && cursor.column == 0
            && !cursor.past_margin
            && !cursor.drawing[usize::from(cursor.shifted)]
            && !self.insert
            && self.grid().get(cursor.row).is_none_or(|row| row.cells.is_empty())
            && (cursor.row == 0 || !self.is_wrapped(cursor.row - 1))
            && !self.has_text_below(cursor.row)
    }

    /// Is there text below this row?
    pub fn has_text_below(&self, row: u64) -> bool {
        let is_blank = |row: &Row| {
            row.cells.iter().all(|cell| matches!(cell.glyph, Glyph::Blank | Glyph::Char(' ')))
        };
        (row + 1..self.end_row()).any(|row| self.grid().get(row).is_some_and(|row| !is_blank(row)))
    }

    /// At the start of a line, goes below all that is drawn, with the scroll region and character set of a fresh terminal: where the
    /// stream lost what would have undone them. A full-screen program's page is left alone.
    pub(crate) fn settle(&mut self) {
        if self.on_alternate {
            return;
        }
        self.top = 0;
        self.bottom = None;
        self.cursor.drawing = Default::default();
        if self.has_text_below(self.cursor.row.saturating_sub(1)) {
            self.set_row(self.end_row());
        }
    }

    /// Clears what is behind the cursor, on its row and below.
    pub(crate) fn clear_behind(&mut self) {
        self.erase_in_display(0);
    }

    /// Goes to a line of its own, as if what was written so far had ended with a line feed.
    pub fn break_line(&mut self) {
        self.margin = Margin::No;
        self.cursor.past_margin = false;
        self.cursor.column = 0;
        self.line_down();
    }

    /// Bytes that the rows take, about.
    pub fn held(&self) -> usize {
        (self.main.cells() + self.alternate.cells()) * size_of::<Cell>()
    }

    /// Forgets what is above the row: nobody asks for it any more.
    pub fn forget_before(&mut self, row: u64) {
        if self.size.is_none() && !self.on_alternate {
            self.main.forget_before(row);
        }
    }

    // ---- what the bytes do ----

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

    /// Down by one within a line.
    fn wrap_down(&mut self) {
        let depth = self.depth;
        self.line_down();
        self.depth = depth.saturating_add(i64::from(!self.on_alternate));
    }

    /// Down by one; at the bottom of the region everything moves up instead.
    fn line_down(&mut self) {
        if !self.on_alternate {
            self.depth = if self.depth < 0 { self.depth + 1 } else { 0 };
        }
        if self.cursor.row == self.bottom() {
            let (top, bottom) = (self.top(), self.bottom());
            // What leaves the main screen at the top is history: row numbers go on.
            if top == self.page()
                && self.size.is_some()
                && bottom + 1 == self.grid().end()
                && !self.on_alternate
            {
                let keep = self.keep();
                self.grid_mut().push(keep);
                self.cursor.row += 1;
            } else {
                self.grid_mut().scroll_up(top, bottom);
            }
        } else if self.size.is_none_or(|size| self.cursor.row + 1 < self.page() + size.rows as u64)
        {
            self.cursor.row += 1;
            self.row();
        }
    }

    fn line_up(&mut self) {
        self.climb(1);
        if self.cursor.row == self.top() {
            let (top, bottom) =
                (self.top(), self.bottom().min(self.grid().end().saturating_sub(1)));
            self.grid_mut().scroll_down(top, bottom);
        } else {
            self.cursor.row = self.cursor.row.saturating_sub(1).max(self.grid().first());
        }
    }

    /// A control character.
    pub(crate) fn control(&mut self, byte: u8) {
        match byte {
            b'\r' => {
                self.margin = match self.margin {
                    Margin::Written(c) => Margin::Returned(c),
                    _ => Margin::No,
                };
                self.cursor.column = 0;
                self.cursor.past_margin = false;
                return;
            }
            b'\n' | 0x0b | 0x0c => {
                self.cursor.past_margin = false;
                if self.newline {
                    self.cursor.column = 0;
                }
                // Onto text that is there: moving within a line that was wrapped, or back down.
                if self.size.is_none() && self.has_text_below(self.cursor.row) {
                    self.wrap_down();
                } else {
                    self.line_down();
                }
            }
            0x08 => {
                // A terminal stays in the row. A line editor that has wrapped counts on that.
                self.set_column(self.cursor.column.saturating_sub(1));
            }
            b'\t' => self.tab(1),
            0x0e => self.cursor.shifted = true,
            0x0f => self.cursor.shifted = false,
            _ => return,
        }
        self.margin = Margin::No;
    }

    fn set_column(&mut self, column: usize) {
        self.cursor.past_margin = false;
        self.cursor.column = column.min(self.width() - 1).min(MAX_COLUMNS - 1);
    }

    fn set_row(&mut self, row: u64) {
        self.cursor.past_margin = false;
        let last = match self.size {
            Some(size) => self.page() + size.rows as u64 - 1,
            None => self.page() + KEEP as u64 - 1,
        };
        let first = if self.size.is_some() { self.page() } else { self.grid().first() };
        // The rows may have gone on beyond the page.
        self.cursor.row = row.clamp(first, last.max(first));
        self.row();
    }

    fn tab(&mut self, count: usize) {
        for _ in 0..count.min(MAX_COLUMNS) {
            let mut column = self.cursor.column + 1;
            while column < self.width() && !self.is_stop(column) {
                column += 1;
            }
            self.set_column(column);
        }
        if self.size.is_none() {
            // What is skipped is blank, not missing.
            let column = self.cursor.column;
            self.row().grow(column);
        }
    }

    fn back_tab(&mut self, count: usize) {
        for _ in 0..count.min(MAX_COLUMNS) {
            let mut column = self.cursor.column.saturating_sub(1);
            while column > 0 && !self.is_stop(column) {
                column -= 1;
            }
            self.set_column(column);
        }
    }

    fn is_stop(&self, column: usize) -> bool {
        match &self.tabs {
            Some(stops) => stops.get(column).copied().unwrap_or(false),
            None => column.is_multiple_of(8),
        }
    }

    fn stops(&mut self) -> &mut Vec<bool> {
        let width = self.width().min(1024);
        self.tabs.get_or_insert_with(|| (0..width).map(|at| at.is_multiple_of(8)).collect())
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

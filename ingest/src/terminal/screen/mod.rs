//! The screen: what the bytes did to it, for a window of any size, known or not.
//!
//! No recording tells the window's size (FORMATS A12). Of a screen of unknown size, rows are as long as they
//! get, and there are as many as are written to. The width comes out as soon as a line editor wraps: it
//! writes past the margin to make the terminal wrap and returns to the row's start, which is seen here as a
//! carriage return behind a blank, or behind a character that comes again. From then on the terminal's own
//! wrapping is done at that width.

mod moves;
mod print;
mod read;
mod sequences;

use super::grid::{Cell, Grid, MAX_COLUMNS, Row};

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
}

//! Rows of cells.

use std::collections::VecDeque;

/// Longest row kept, in columns. Output may have no line end at all; what is longer goes on in the next row.
pub(crate) const MAX_COLUMNS: usize = 4 << 10;

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyph {
    /// Nothing was written here.
    Blank,
    /// A character.
    Char(char),
    /// A character with marks that combine with it: index into the screen's table.
    Cluster(u32),
    /// The right half of a wide character.
    Right,
}

/// One place of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) glyph: Glyph,
    /// Written while the terminal was told to conceal (`ESC[8m`).
    pub(crate) hidden: bool,
}

impl Cell {
    pub(crate) const BLANK: Self = Self { glyph: Glyph::Blank, hidden: false };

    pub(crate) const fn is_wide_half(self) -> bool {
        matches!(self.glyph, Glyph::Right)
    }
}

/// A row. What was never written to is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Cell>,
    /// The text goes on in the next row: the terminal, or the line editor for it, wrapped.
    pub(crate) wrapped: bool,
}

impl Row {
    /// Makes sure that columns up to `len` are there.
    pub(crate) fn grow(&mut self, len: usize) {
        let len = len.min(MAX_COLUMNS);
        if self.cells.len() < len {
            self.cells.resize(len, Cell::BLANK);
        }
    }

    /// Blanks what is left of a wide character that is cut at `at`.
    pub(crate) fn split_wide(&mut self, at: usize) {
        if self.cells.get(at).is_some_and(|cell| cell.is_wide_half()) {
            self.cells[at] = Cell::BLANK;
            if let Some(left) = at.checked_sub(1) {
                self.cells[left] = Cell::BLANK;
            }
        }
    }

    /// Overwrites a range with blanks.
    pub(crate) fn blank(&mut self, from: usize, to: usize) {
        let to = to.min(self.cells.len());
        if from < to {
            self.split_wide(from);
            if to < self.cells.len() {
                self.split_wide(to);
            }
            self.cells[from..to].fill(Cell::BLANK);
        }
    }

    /// Deletes `count` cells at `at`; what follows moves left.
    pub(crate) fn delete(&mut self, at: usize, count: usize) {
        let to = at.saturating_add(count).min(self.cells.len());
        if at < to {
            self.split_wide(at);
            self.split_wide(to);
            self.cells.drain(at..to);
        }
    }

    /// Inserts `count` blanks at `at`; what is pushed past `width` is lost.
    pub(crate) fn insert(&mut self, at: usize, count: usize, width: usize) {
        if at < self.cells.len() {
            self.split_wide(at);
            let count = count.min(width.saturating_sub(at));
            self.cells.splice(at..at, std::iter::repeat_n(Cell::BLANK, count));
            self.cells.truncate(width);
        }
    }
}

/// Rows, numbered from the first that there ever was.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    rows: VecDeque<Row>,
    /// Number of the first row that is still kept.
    first: u64,
}

impl Grid {
    pub(crate) fn new(rows: usize) -> Self {
        Self { rows: std::iter::repeat_n(Row::default(), rows.max(1)).collect(), first: 0 }
    }

    /// Number of the first row kept.
    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    /// One past the last row's number.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    fn index(&self, row: u64) -> Option<usize> {
        usize::try_from(row.checked_sub(self.first)?).ok().filter(|&at| at < self.rows.len())
    }

    pub(crate) fn get(&self, row: u64) -> Option<&Row> {
        self.index(row).map(|at| &self.rows[at])
    }

    /// The row with this number, added with all before it if it is not there yet.
    pub(crate) fn row(&mut self, row: u64, keep: usize) -> &mut Row {
        let row = row.max(self.first);
        while self.end() <= row {
            self.push(keep);
        }
        let at = self.index(row).unwrap_or(0);
        &mut self.rows[at]
    }

    /// Adds a row below, forgetting the first if there are more than `keep`.
    pub(crate) fn push(&mut self, keep: usize) {
        self.rows.push_back(Row::default());
        if self.rows.len() > keep.max(1) {
            self.rows.pop_front();
            self.first += 1;
        }
    }

    /// Cells that are there.
    pub(crate) fn cells(&self) -> usize {
        self.rows.iter().map(|row| row.cells.len()).sum()
    }

    /// Moves rows `top..=bottom` up by one: the top one goes, a blank one comes.
    pub(crate) fn scroll_up(&mut self, top: u64, bottom: u64) {
        if let (Some(top), Some(bottom)) = (self.index(top), self.index(bottom))
            && top <= bottom
        {
            let mut row = self.rows.remove(top).unwrap_or_default();
            row.cells.clear();
            row.wrapped = false;
            self.rows.insert(bottom, row);
        }
    }

    /// Moves rows `top..=bottom` down by one.
    pub(crate) fn scroll_down(&mut self, top: u64, bottom: u64) {
        if let (Some(top), Some(bottom)) = (self.index(top), self.index(bottom))
            && top <= bottom
        {
            let mut row = self.rows.remove(bottom).unwrap_or_default();
            row.cells.clear();
            row.wrapped = false;
            self.rows.insert(top, row);
        }
    }

    /// Forgets the rows before `row`.
    pub(crate) fn forget_before(&mut self, row: u64) {
        while self.first < row && self.rows.len() > 1 {
            self.rows.pop_front();
            self.first += 1;
        }
    }
}

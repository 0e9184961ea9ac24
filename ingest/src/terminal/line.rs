//! The line that the cursor is on.

/// One line of unbounded width being written and edited.
pub struct EditLine {
    cells: Vec<char>,
    column: usize,
    touched: bool,
    /// The last thing written was a blank at the line's end.
    fresh_blank: bool,
    max: usize,
}

impl EditLine {
    /// An empty line that takes `max` characters; what comes behind is dropped.
    pub const fn new(max: usize) -> Self {
        Self { cells: Vec::new(), column: 0, touched: false, fresh_blank: false, max }
    }

    /// Columns taken.
    pub const fn columns(&self) -> usize {
        self.cells.len()
    }

    /// Has nothing been written or moved since the line began?
    pub const fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// Writes a character at the cursor.
    pub fn put(&mut self, c: char) {
        self.touched = true;
        if self.column >= self.max {
            return;
        }
        self.fresh_blank = c == ' ' && self.column == self.cells.len();
        self.pad();
        match self.cells.get_mut(self.column) {
            Some(cell) => *cell = c,
            None => self.cells.push(c),
        }
        self.column += 1;
    }

    /// Fills up to the cursor with blanks.
    fn pad(&mut self) {
        if self.cells.len() < self.column {
            self.cells.resize(self.column, ' ');
        }
    }

    /// Was a blank just written at the end of a line that has text before it?
    pub fn ends_in_fresh_blank(&self) -> bool {
        self.fresh_blank
            && self.column == self.cells.len()
            && self.cells.len().checked_sub(2).is_some_and(|at| self.cells[at] != ' ')
    }

    /// Takes that blank back: it was only written to make the terminal wrap.
    pub fn unwrap_blank(&mut self) {
        self.cells.pop();
        self.column = self.cells.len();
        self.fresh_blank = false;
    }

    /// Moves the cursor.
    pub fn set_column(&mut self, column: usize) {
        self.touched = true;
        self.fresh_blank = false;
        self.column = column.min(self.max);
    }

    /// Moves the cursor left, as far as there is room.
    pub fn left(&mut self, by: usize) {
        self.set_column(self.column.saturating_sub(by));
    }

    /// Moves the cursor right.
    pub fn right(&mut self, by: usize) {
        self.set_column(self.column.saturating_add(by));
    }

    /// To the next multiple of eight, writing blanks over nothing.
    pub fn tab(&mut self) {
        self.set_column((self.column / 8 + 1) * 8);
        self.pad();
    }

    /// `EL`: 0 erases to the end, 1 to the cursor, 2 all.
    pub fn erase(&mut self, mode: u16) {
        self.touched = true;
        self.fresh_blank = false;
        match mode {
            0 => self.cells.truncate(self.column),
            1 => {
                let end = (self.column + 1).min(self.cells.len());
                self.cells[..end].fill(' ');
            }
            2 => self.cells.clear(),
            _ => {}
        }
    }

    /// `DCH`: deletes characters at the cursor, the rest moves left.
    pub fn delete(&mut self, count: usize) {
        let end = self.column.saturating_add(count).min(self.cells.len());
        if self.column < end {
            self.cells.drain(self.column..end);
        }
    }

    /// `ICH`: inserts blanks at the cursor, the rest moves right.
    pub fn insert_blanks(&mut self, count: usize) {
        if self.column < self.cells.len() {
            let count = count.min(self.max.saturating_sub(self.cells.len()));
            self.cells.splice(self.column..self.column, std::iter::repeat_n(' ', count));
        }
    }

    /// `ECH`: overwrites with blanks.
    pub fn blank_out(&mut self, count: usize) {
        let end = self.column.saturating_add(count).min(self.cells.len());
        if self.column < end {
            self.cells[self.column..end].fill(' ');
        }
    }

    /// The text; the line is empty afterwards.
    pub fn take(&mut self) -> String {
        self.column = 0;
        self.touched = false;
        self.fresh_blank = false;
        self.cells.drain(..).collect()
    }
}

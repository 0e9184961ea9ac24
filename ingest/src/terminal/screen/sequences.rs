//! What control and escape sequences ask of the screen.

use vte::Params;

use super::{Cursor, KEEP, Margin, Screen};
use crate::terminal::grid::{Cell, Glyph, Grid};

impl Screen {
    /// A control sequence.
    pub(crate) fn csi(&mut self, params: &Params, intermediates: &[u8], action: char) {
        self.margin = Margin::No;
        let param = |at: usize| {
            params.iter().nth(at).and_then(|p| p.first().copied()).map_or(0, usize::from)
        };
        let count = param(0).max(1);
        match (intermediates, action) {
            (b"?", 'h' | 'l') => {
                for mode in params.iter().flatten() {
                    self.private_mode(*mode, action == 'h');
                }
            }
            (b"!", 'p') => self.soft_reset(),
            (b"", 'h' | 'l') => {
                for mode in params.iter().flatten() {
                    match mode {
                        4 => self.insert = action == 'h',
                        20 => self.newline = action == 'h',
                        _ => {}
                    }
                }
            }
            (b"", 'A') => self.up(count),
            (b"", 'B' | 'e') => self.down(count),
            (b"", 'C' | 'a') => self.set_column(self.cursor.column.saturating_add(count)),
            (b"", 'D') => self.set_column(self.cursor.column.saturating_sub(count)),
            (b"", 'E') => {
                self.down(count);
                self.set_column(0);
            }
            (b"", 'F') => {
                self.up(count);
                self.set_column(0);
            }
            (b"", 'G' | '`') => self.set_column(count - 1),
            (b"", 'd') => self.go_to(count - 1, self.cursor.column),
            (b"", 'H' | 'f') => self.go_to(count - 1, param(1).max(1) - 1),
            (b"" | b"?", 'J') => self.erase_in_display(param(0)),
            (b"" | b"?", 'K') => self.erase_in_line(param(0)),
            (b"", 'L') => self.shift_lines(count, true),
            (b"", 'M') => self.shift_lines(count, false),
            (b"", 'P') => {
                let column = self.cursor.column;
                self.row().delete(column, count);
            }
            (b"", '@') => {
                let (column, width) = (self.cursor.column, self.width());
                self.row().insert(column, count, width);
            }
            (b"", 'X') => {
                let column = self.cursor.column;
                self.row().blank(column, column.saturating_add(count));
            }
            (b"", 'S') => self.scroll(count, true),
            (b"", 'T') => self.scroll(count, false),
            (b"", 'I') => self.tab(count),
            (b"", 'Z') => self.back_tab(count),
            (b"", 'g') => match param(0) {
                0 => {
                    let column = self.cursor.column;
                    if let Some(stop) = self.stops().get_mut(column) {
                        *stop = false;
                    }
                }
                3 => self.stops().fill(false),
                _ => {}
            },
            (b"", 'b') => {
                if let Some(c) = self.last {
                    for _ in 0..count.min(self.width()) {
                        self.print(c);
                    }
                }
            }
            (b"", 'm') => self.attributes(params),
            (b"", 'r') => self.region(param(0), param(1)),
            (b"", 's') => self.save(),
            (b"", 'u') => self.restore(),
            _ => {}
        }
    }

    /// An escape sequence.
    pub(crate) fn esc(&mut self, intermediates: &[u8], byte: u8) {
        self.margin = Margin::No;
        match (intermediates, byte) {
            (b"", b'D') => self.line_down(),
            (b"", b'E') => {
                self.set_column(0);
                self.line_down();
            }
            (b"", b'M') => {
                self.cursor.past_margin = false;
                self.line_up();
            }
            (b"", b'H') => {
                let column = self.cursor.column;
                if let Some(stop) = self.stops().get_mut(column) {
                    *stop = true;
                }
            }
            (b"", b'7') => self.save(),
            (b"", b'8') => self.restore(),
            (b"", b'c') => {
                let fresh = Self::new(self.size);
                // Row numbers never go back: what was read stays where it was.
                let (end, main) =
                    (self.main.end(), std::mem::replace(&mut self.main, Grid::new(1)));
                let seen_width = self.seen_width;
                *self = fresh;
                if self.size.is_none() {
                    self.main = main;
                    self.page[0] = end;
                    self.seen_width = seen_width;
                    self.set_row(end);
                }
            }
            (b"#", b'8') if self.size.is_some() => self.align(),
            (b"(", set) => self.cursor.drawing[0] = set == b'0',
            (b")", set) => self.cursor.drawing[1] = set == b'0',
            _ => {}
        }
    }

    pub(super) fn align(&mut self) {
        let Some(size) = self.size else { return };
        let page = self.page();
        self.top = 0;
        self.bottom = None;
        for row in page..page + size.rows as u64 {
            let keep = self.keep();
            let row = self.grid_mut().row(row, keep);
            row.cells = vec![Cell { glyph: Glyph::Char('E'), hidden: false }; size.columns];
            row.wrapped = false;
        }
        self.go_to(0, 0);
    }

    pub(super) fn soft_reset(&mut self) {
        self.autowrap = true;
        self.insert = false;
        self.top = 0;
        self.bottom = None;
        self.cursor.origin = false;
        self.cursor.hidden = false;
        self.cursor.concealed = false;
        self.cursor.colours = [None; 2];
        self.cursor.shifted = false;
        self.cursor.drawing = [false; 2];
    }

    pub(super) fn private_mode(&mut self, mode: u16, on: bool) {
        match mode {
            6 => {
                self.cursor.origin = on;
                self.go_to(0, 0);
            }
            7 => self.autowrap = on,
            25 => self.invisible = !on,
            47 | 1047 => self.switch(on),
            1048 if on => self.save(),
            1048 => self.restore(),
            1049 => {
                if on && !self.on_alternate {
                    self.saved[0] = self.cursor;
                    self.switch(true);
                    self.erase_in_display(2);
                } else if !on && self.on_alternate {
                    self.switch(false);
                    self.restore();
                    (self.depth, self.peak) = (0, 0);
                }
            }
            3 if self.size.is_some() => {
                self.top = 0;
                self.bottom = None;
                self.erase_in_display(2);
                self.go_to(0, 0);
            }
            _ => {}
        }
    }

    pub(super) fn switch(&mut self, on: bool) {
        if self.on_alternate == on {
            return;
        }
        let (row, from) = (self.cursor.row, self.page());
        self.on_alternate = on;
        (self.depth, self.peak) = (0, 0);
        if on && self.size.is_none() {
            self.alternate = Grid::new(1);
        }
        self.top = 0;
        self.bottom = None;
        // The cursor stays where it is on the glass.
        let row = self.page() + row.saturating_sub(from).min(KEEP as u64 - 1);
        self.set_row(row);
    }

    pub(super) fn save(&mut self) {
        self.saved[usize::from(self.on_alternate)] = Cursor { depth: self.depth, ..self.cursor };
    }

    pub(super) fn restore(&mut self) {
        let saved = self.saved[usize::from(self.on_alternate)];
        let row = saved.row;
        self.climb(saved.depth.abs_diff(self.depth) * u64::from(saved.depth < self.depth));
        self.cursor = saved;
        let past = saved.past_margin;
        self.set_row(row);
        self.cursor.past_margin = past;
    }

    pub(super) fn attributes(&mut self, params: &Params) {
        let cursor = &mut self.cursor;
        if params.is_empty() {
            cursor.concealed = false;
            cursor.colours = [None; 2];
        }
        let mut list = params.iter();
        while let Some(param) = list.next() {
            let code = param.first().copied().unwrap_or(0);
            match code {
                0 => {
                    cursor.concealed = false;
                    cursor.colours = [None; 2];
                }
                8 => cursor.concealed = true,
                28 => cursor.concealed = false,
                30..=37 => cursor.colours[0] = Some(u32::from(code - 30)),
                40..=47 => cursor.colours[1] = Some(u32::from(code - 40)),
                90..=97 => cursor.colours[0] = Some(u32::from(code - 82)),
                100..=107 => cursor.colours[1] = Some(u32::from(code - 92)),
                39 => cursor.colours[0] = None,
                49 => cursor.colours[1] = None,
                // A colour's own numbers are not attributes.
                38 | 48 | 58 => {
                    let mut next = || list.next().and_then(|p| p.first().copied()).unwrap_or(0);
                    let numbers: Vec<u16> = match param.get(1..).unwrap_or_default() {
                        [] => match next() {
                            5 => vec![next()],
                            2 => vec![next(), next(), next()],
                            _ => Vec::new(),
                        },
                        [5, number, ..] => vec![*number],
                        [2, numbers @ ..] => numbers.to_vec(),
                        _ => Vec::new(),
                    };
                    let colour = match numbers[..] {
                        [] => None,
                        // The first sixteen are those with codes of their own.
                        [number] => Some(u32::from(number)),
                        _ => {
                            let last = numbers.iter().rev().take(3);
                            Some(last.fold(1 << 24, |sum, part| sum << 8 | u32::from(*part & 0xff)))
                        }
                    };
                    match code {
                        38 => cursor.colours[0] = colour,
                        48 => cursor.colours[1] = colour,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        let same = cursor.colours[0].is_some() && cursor.colours[0] == cursor.colours[1];
        cursor.hidden = cursor.concealed || same;
    }

    pub(super) fn up(&mut self, count: usize) {
        self.climb(count as u64);
        let limit = if self.cursor.row >= self.top() { self.top() } else { self.page() };
        // Of a screen of unknown size the page may have scrolled: any row that is kept can be meant.
        let limit = if self.size.is_none() && self.top == 0 { self.grid().first() } else { limit };
        self.set_row(self.cursor.row.saturating_sub(count as u64).max(limit));
    }

    pub(super) fn down(&mut self, count: usize) {
        if !self.on_alternate {
            self.depth = self.depth.saturating_add_unsigned(count as u64);
        }
        let bottom = self.bottom();
        let limit = if self.cursor.row <= bottom { bottom } else { u64::MAX };
        let limit =
            if self.size.is_none() { limit.min(self.cursor.row + KEEP as u64) } else { limit };
        self.set_row(self.cursor.row.saturating_add(count as u64).min(limit));
    }

    pub(super) fn go_to(&mut self, row: usize, column: usize) {
        if self.size.is_none() && !self.on_alternate && row == 0 && column == 0 && self.top == 0 {
            // Home, on a main screen whose first row nobody knows: what comes now is drawn afresh.
            self.depth = 0;
            let end = self.main.end();
            self.page[0] = end;
        }
        let (first, limit) =
            if self.cursor.origin { (self.top(), self.bottom()) } else { (self.page(), u64::MAX) };
        let from = self.cursor.row;
        self.set_row((first + row as u64).min(limit));
        let to = self.cursor.row;
        if from > to {
            self.climb(from - to);
        } else if !self.on_alternate {
            self.depth = self.depth.saturating_add_unsigned(to - from);
        }
        self.set_column(column);
    }

    pub(super) fn region(&mut self, top: usize, bottom: usize) {
        let rows = self.size.map(|size| size.rows);
        let top = top.max(1) - 1;
        let bottom = match (bottom, rows) {
            (0, _) => None,
            (bottom, Some(rows)) => Some(bottom.min(rows) - 1),
            (bottom, None) => Some(bottom.min(KEEP) - 1),
        };
        if bottom.is_none_or(|bottom| top < bottom) {
            self.top = top;
            self.bottom = bottom;
            if self.size.is_some() || self.on_alternate {
                self.go_to(0, 0);
            }
        }
    }

    pub(super) fn scroll(&mut self, count: usize, up: bool) {
        let (top, bottom) = (self.top(), self.bottom().min(self.grid().end().saturating_sub(1)));
        for _ in 0..count.min(KEEP) {
            if up {
                self.grid_mut().scroll_up(top, bottom);
            } else {
                self.grid_mut().scroll_down(top, bottom);
            }
        }
    }

    pub(super) fn shift_lines(&mut self, count: usize, insert: bool) {
        let (row, bottom) =
            (self.cursor.row, self.bottom().min(self.grid().end().saturating_sub(1)));
        if row < self.top() || row > bottom {
            return;
        }
        for _ in 0..count.min(KEEP) {
            if insert {
                self.grid_mut().scroll_down(row, bottom);
            } else {
                self.grid_mut().scroll_up(row, bottom);
            }
        }
        self.set_column(0);
    }

    pub(super) fn erase_in_line(&mut self, what: usize) {
        let column = self.cursor.column;
        let row = self.row();
        match what {
            0 => {
                row.split_wide(column);
                row.cells.truncate(column);
                row.wrapped = false;
            }
            1 => row.blank(0, column + 1),
            2 => {
                row.cells.clear();
                row.wrapped = false;
            }
            _ => {}
        }
    }

    pub(super) fn erase_in_display(&mut self, what: usize) {
        let (page, here, end) = (self.page(), self.cursor.row, self.grid().end());
        let rows = match what {
            0 => {
                self.erase_in_line(0);
                here + 1..end
            }
            1 => {
                self.erase_in_line(1);
                page..here
            }
            // Of a main screen of unknown size what was there has been seen, and stays.
            2 if self.size.is_some() || self.on_alternate => page..end,
            _ => return,
        };
        let keep = self.keep();
        for row in rows {
            let row = self.grid_mut().row(row, keep);
            row.cells.clear();
            row.wrapped = false;
        }
    }
}

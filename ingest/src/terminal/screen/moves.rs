//! Where the cursor goes: lines, columns, tabulators.

use super::{KEEP, Screen};
use crate::terminal::grid::MAX_COLUMNS;

impl Screen {
    /// Down by one within a line.
    pub(super) fn wrap_down(&mut self) {
        let depth = self.depth;
        self.line_down();
        self.depth = depth.saturating_add(i64::from(!self.on_alternate));
    }

    /// Down by one; at the bottom of the region everything moves up instead.
    pub(super) fn line_down(&mut self) {
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

    pub(super) fn line_up(&mut self) {
        self.climb(1);
        if self.cursor.row == self.top() {
            let (top, bottom) =
                (self.top(), self.bottom().min(self.grid().end().saturating_sub(1)));
            self.grid_mut().scroll_down(top, bottom);
        } else {
            self.cursor.row = self.cursor.row.saturating_sub(1).max(self.grid().first());
        }
    }

    pub(super) fn set_column(&mut self, column: usize) {
        self.cursor.past_margin = false;
        self.cursor.column = column.min(self.width() - 1).min(MAX_COLUMNS - 1);
    }

    pub(super) fn set_row(&mut self, row: u64) {
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

    pub(super) fn tab(&mut self, count: usize) {
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

    pub(super) fn back_tab(&mut self, count: usize) {
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

    pub(super) fn stops(&mut self) -> &mut Vec<bool> {
        let width = self.width().min(1024);
        self.tabs.get_or_insert_with(|| (0..width).map(|at| at.is_multiple_of(8)).collect())
    }
}

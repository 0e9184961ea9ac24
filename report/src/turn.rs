//! Whose turn it is: several threads work ahead, one hands on what they did in order.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many pieces have been handed on. A thread may run ahead of them, but not far.
#[derive(Debug, Default)]
pub struct Turn {
    front: Mutex<usize>,
    moved: Condvar,
}

/// Lets all threads go on when it is dropped: those that wait for a turn must not wait for ever.
#[derive(Debug)]
#[must_use = "it lets all go on as soon as it is dropped"]
pub struct Release<'t>(&'t Turn);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.advance(usize::MAX / 2);
    }
}

impl Turn {
    /// Waits until so many have been handed on.
    pub fn wait(&self, until: impl Fn(usize) -> bool) {
        let front = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.wait_while(front, |front| !until(*front)));
    }

    /// Need nobody wait for that?
    pub fn has_come(&self, until: impl Fn(usize) -> bool) -> bool {
        until(*self.front.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells how many have been.
    pub fn advance(&self, to: usize) {
        *self.front.lock().unwrap_or_else(PoisonError::into_inner) = to;
        self.moved.notify_all();
    }

    /// Whoever hands on holds this: when it ends, for whatever reason, nobody waits for it.
    pub const fn release(&self) -> Release<'_> {
        Release(self)
    }
}

//! Files of facts that were read, kept on a disk nearby. They never change, and a sweep reads the same ones every few
//! minutes: from a bucket each would be a request each time.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tempfile::TempDir;

/// What is kept, within a number of bytes. It goes with the process.
#[derive(Debug)]
pub(super) struct Near {
    most: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Made when the first file comes.
    directory: Option<TempDir>,
    kept: HashMap<String, Kept>,
    bytes: u64,
    /// What the next file is called.
    next: u64,
    /// Counts the calls of [`Near::forget_unread`].
    round: u64,
    /// The disk did not take one, or did not give it back.
    trouble: Option<io::Error>,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    bytes: u64,
    /// When it was read last.
    round: u64,
}

impl State {
    fn place(&self, number: u64) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.path().join(number.to_string()))
    }

    fn drop_file(&mut self, kept: &Kept) {
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        if let Some(place) = self.place(kept.number) {
            let removed = fs::remove_file(place);
            self.trouble = self.trouble.take().or_else(|| removed.err());
        }
    }
}

impl Near {
    pub(super) fn new(most: u64) -> Self {
        Self { most, state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that is kept.
    pub(super) fn get(&self, path: &str) -> Option<Bytes> {
        let place = {
            let mut state = self.state();
            let round = state.round;
            let kept = state.kept.get_mut(path)?;
            kept.round = round;
            let number = kept.number;
            state.place(number)?
        };
        match fs::read(place) {
            Ok(bytes) => Some(bytes.into()),
            Err(error) => {
                // It is fetched again.
                let mut state = self.state();
                state.trouble.get_or_insert(error);
                if let Some(kept) = state.kept.remove(path) {
                    state.drop_file(&kept);
                }
                None
            }
        }
    }

    /// Keeps a file, if there is room.
    pub(super) fn keep(&self, path: &str, bytes: &[u8]) {
        let size = bytes.len() as u64;
        let (number, place) = {
            let mut state = self.state();
            // A disk that refused one refuses the next.
            if state.trouble.is_some() || state.bytes + size > self.most {
                return;
            }
            if state.directory.is_none() {
                match tempfile::Builder::new().prefix("ssm-audit-").tempdir() {
                    Ok(directory) => state.directory = Some(directory),
                    Err(error) => {
                        state.trouble = Some(error);
                        return;
                    }
                }
            }
            state.next += 1;
            state.bytes += size;
            let number = state.next;
            let Some(place) = state.place(number) else { return };
            (number, place)
        };
        let written = fs::write(&place, bytes);
        let mut state = self.state();
        let kept = Kept { number, bytes: size, round: state.round };
        match written {
            // Two that fetched it at once: one stays.
            Ok(()) => {
                if let Some(other) = state.kept.insert(path.to_owned(), kept) {
                    state.drop_file(&other);
                }
            }
            Err(error) => {
                state.drop_file(&kept);
                state.trouble = Some(error);
            }
        }
    }

    /// Drops what was not read since the last call. Fails if the disk did, since then.
    pub(super) fn forget_unread(&self) -> io::Result<()> {
        let mut state = self.state();
        let round = state.round;
        let unread: Vec<Kept> =
            state.kept.extract_if(|_, kept| kept.round < round).map(|(_, kept)| kept).collect();
        for kept in &unread {
            state.drop_file(kept);
        }
        state.round += 1;
        state.trouble.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_kept_and_the_rest_goes() {
        let near = Near::new(10);
        assert_eq!(near.get("a"), None);
        near.keep("a", b"aaaa");
        near.keep("b", b"bbbb");
        // There is no room for it.
        near.keep("c", b"cccc");
        assert_eq!(near.get("c"), None);
        near.forget_unread().unwrap();
        assert_eq!(near.get("a").as_deref(), Some(b"aaaa".as_slice()));
        near.forget_unread().unwrap();
        assert_eq!(near.get("b"), None);
        near.keep("c", b"cccc");
        assert_eq!(near.get("a").as_deref(), Some(b"aaaa".as_slice()));
        assert_eq!(near.get("c").as_deref(), Some(b"cccc".as_slice()));
        assert_eq!(near.state().bytes, 8);
    }

    #[test]
    fn a_disk_that_fails_is_told_and_nothing_else_fails() {
        let near = Near::new(100);
        near.keep("a", b"a");
        let directory = near.state().directory.as_ref().unwrap().path().to_owned();
        fs::remove_dir_all(directory).unwrap();
        assert_eq!(near.get("a"), None);
        near.keep("b", b"b");
        assert_eq!(near.get("b"), None);
        assert!(near.forget_unread().is_err());
        assert!(near.forget_unread().is_ok());
    }
}

//! A command line, taken apart by both grammars.
#![no_main]

use std::cell::RefCell;

use ingest::command::simple::Splitter;
use libfuzzer_sys::fuzz_target;
use model::ShellFamily;

thread_local! {
    static SPLITTER: RefCell<Splitter> = RefCell::new(Splitter::new());
}

fuzz_target!(|data: &[u8]| {
    let line = String::from_utf8_lossy(data);
    SPLITTER.with_borrow_mut(|splitter| {
        for family in [ShellFamily::Posix, ShellFamily::PowerShell] {
            let found = splitter.programs(&line, family);
            assert!(found.len() <= 65);
            // Used again, the parser gives the same.
            assert_eq!(splitter.programs(&line, family), found);
        }
    });
});

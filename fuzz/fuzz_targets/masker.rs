//! Secrets taken out of any text: twice is once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use report::mask::Masker;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let masked = Masker::default().text(&text).into_owned();
    assert_eq!(Masker { reveal: true }.text(&text), text);
    let _ = Masker::default().text(&masked);
});

//! The floor: what nobody can be faster than. Reads the same files, inflates them with the fastest
//! decoder there is, and finds where each record ends; looks at nothing else.
//!
//! `cargo run --release -p ssm-audit-benches --bin floor -- DIR [THREADS]`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use memchr::memchr2;

fn files(path: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, out)?;
        } else {
            out.push(path);
        }
    }
    Ok(())
}

/// Number of objects at the second level: the records of `{"Records":[…]}`.
fn records(bytes: &[u8]) -> usize {
    let (mut depth, mut count, mut at) = (0_u32, 0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(skip) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
                    at += skip;
                    if bytes[at] == b'"' {
                        break;
                    }
                    at += 2;
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                count += usize::from(depth == 2);
            }
            _ => {}
        }
        at += 1;
    }
    count
}

#[expect(clippy::disallowed_types, reason = "the floor is about the raw decoder")]
fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let dir = args.next().ok_or_else(|| io::Error::other("usage: floor DIR [THREADS]"))?;
    let threads = args.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut paths = Vec::new();
    files(Path::new(&dir), &mut paths)?;
    let next = AtomicUsize::new(0);
    let totals: Vec<(usize, usize)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut decoder = libdeflater::Decompressor::new();
                    let (mut out, mut count, mut bytes) = (Vec::new(), 0, 0);
                    while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Ok(data) = fs::read(path) else { continue };
                        // A gzip member ends with its inflated size.
                        let size: [u8; 4] = data[data.len() - 4..].try_into().unwrap_or_default();
                        out.resize(u32::from_le_bytes(size) as usize, 0);
                        if let Ok(len) = decoder.gzip_decompress(&data, &mut out) {
                            count += records(&out[..len]);
                            bytes += len;
                        }
                    }
                    (count, bytes)
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let (count, bytes) = totals.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    writeln!(io::stdout(), "{count} records, {bytes} bytes")
}

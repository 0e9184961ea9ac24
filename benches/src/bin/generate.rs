//! Makes a folder of CloudTrail files in AWS's own key layout.
//!
//! `cargo run --release -p ssm-audit-benches --bin generate -- DIR --megabytes 1000`

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Parser;
use flate2::Compression;
use flate2::write::GzEncoder;
use ssm_audit_benches::traffic::Traffic;

#[derive(Parser)]
struct Args {
    /// Where to put them.
    dir: PathBuf,
    /// Size of all files together when inflated.
    #[arg(long, default_value_t = 1000)]
    megabytes: u64,
    /// Records in a file: 1 to twice this.
    #[arg(long, default_value_t = 450)]
    records: usize,
    /// The same seed makes the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut rng = fastrand::Rng::with_seed(args.seed ^ 0x5eed);
    let mut traffic = Traffic::new(args.seed);
    let (mut bytes, mut files, mut records) = (0, 0, 0);
    while bytes < args.megabytes * 1_000_000 {
        let account = ACCOUNTS[rng.usize(0..ACCOUNTS.len())];
        let (day, minute) = traffic.clock();
        let dir = args.dir.join(format!("AWSLogs/{account}/CloudTrail/us-east-1/{day}"));
        fs::create_dir_all(&dir)?;
        let suffix: String = (0..16).map(|_| rng.alphanumeric()).collect();
        let name = format!("{account}_CloudTrail_us-east-1_{minute}_{suffix}.json.gz");
        let mut text = String::from("{\"Records\":[");
        let count = rng.usize(1..=args.records * 2);
        for at in 0..count {
            if at > 0 {
                text.push(',');
            }
            text.push_str(&traffic.record(account).to_string());
        }
        text.push_str("]}");
        let mut gzip = GzEncoder::new(fs::File::create(dir.join(name))?, Compression::new(6));
        gzip.write_all(text.as_bytes())?;
        gzip.finish()?;
        bytes += text.len() as u64;
        files += 1;
        records += count;
    }
    writeln!(io::stdout(), "{files} files, {records} records, {bytes} bytes inflated")
}

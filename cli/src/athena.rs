//! `ssm-audit report --engine athena`: the rows of the report are computed where the facts are.
//!
//! The statements are those of `deploy/sql`, as they are. Each table is unloaded as Parquet below the output location, fetched, and
//! told as if it had been computed here.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use aws_sdk_athena::Client;
use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState, ResultConfiguration};
use ingest::source::{Bucket, Versions};
use jiff::{SignedDuration, Timestamp};
use report::view::Period;
use tempfile::TempDir;
use uuid::Uuid;

use crate::exit::{Failure, Outcome};

/// Who computes the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    /// This program.
    Local,
    /// Amazon Athena: external tables over the store and the views of deploy/sql are made or replaced there.
    Athena,
}

/// Who computes the rows, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct EngineArgs {
    /// Who computes the rows.
    #[arg(long, value_enum, default_value_t = Engine::Local)]
    engine: Engine,
    /// Of Athena: where query results go, `s3://bucket/prefix`. A lifecycle rule should clear it.
    #[arg(long, value_name = "URI", required_if_eq("engine", "athena"))]
    athena_output: Option<String>,
    /// Of Athena: the database for the tables and views.
    #[arg(long, value_name = "NAME", default_value = "ssm_audit")]
    athena_database: String,
    /// Of Athena: the workgroup.
    #[arg(long, value_name = "NAME", default_value = "primary")]
    athena_workgroup: String,
}

const SQL: [&str; 3] = [
    include_str!("../../deploy/sql/athena.sql"),
    include_str!("../../deploy/sql/views.sql"),
    include_str!("../../deploy/sql/report.sql"),
];
/// The tables of a report.
const TABLES: [&str; 4] = ["access", "commands", "findings", "events"];

impl EngineArgs {
    /// Is it not this program?
    pub(crate) fn is_far(&self) -> bool {
        self.engine != Engine::Local
    }

    /// Computes the rows, if another engine is to; gives the folder with them.
    pub(crate) fn compute(
        &self,
        store: &str,
        period: &Period,
        as_of: Timestamp,
        grace: SignedDuration,
    ) -> Result<Option<TempDir>, Failure> {
        let Some(output) = self.athena_output.as_deref().filter(|_| self.is_far()) else {
            return Ok(None);
        };
        for (name, uri) in [("--store", store), ("--athena-output", output)] {
            if aws::s3_uri(uri).is_none_or(|_| uri.contains('\'')) {
                return Err(Failure::usage(format!(
                    "{name} is `{uri}`; Athena reads and writes s3://bucket/prefix"
                )));
            }
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !self.athena_database.chars().all(is_name) {
            return Err(Failure::usage("--athena-database: letters, digits and underscores"));
        }
        let athena = Athena { client: Client::new(aws::config()), args: self, output };
        for statement in statements(&SQL.join("\n"), store, &self.athena_database) {
            athena.run(&statement)?;
        }
        for statement in moments(period, as_of, grace) {
            athena.run(&statement)?;
        }
        let place = format!("{}/report-{}", output.trim_end_matches('/'), Uuid::new_v4());
        let folder = TempDir::new()?;
        for table in TABLES {
            let to = format!("{place}/{table}/");
            athena.run(&format!(
                "UNLOAD (SELECT * FROM report_{table}) TO '{to}' WITH (format = 'PARQUET', compression = 'SNAPPY')"
            ))?;
            fetch(&to, &folder.path().join(table))?;
        }
        Ok(Some(folder))
    }
}

/// The statements of a file, without comments, with the store's place and the database's name put in.
fn statements(sql: &str, store: &str, database: &str) -> Vec<String> {
    let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let code: Vec<&str> = code.collect();
    let code = code.join("\n");
    // Behind a statement's semicolon its line ends; within texts there are others.
    code.split(";\n")
        .map(|statement| statement.trim().trim_end_matches(';'))
        .filter(|statement| !statement.is_empty())
        .map(|statement| {
            statement.replace("{root}", store.trim_end_matches('/')).replace("{database}", database)
        })
        .collect()
}

/// When to look, and at what: in place of what stands in the files.
fn moments(period: &Period, as_of: Timestamp, grace: SignedDuration) -> [String; 3] {
    let time = |time: Timestamp| format!("TIMESTAMP '{}'", time.strftime("%Y-%m-%d %H:%M:%S%.6f"));
    let session = report::view::Grace::default().session + grace;
    let seconds = |duration: SignedDuration| format!("INTERVAL '{}' SECOND", duration.as_secs());
    [
        format!("CREATE OR REPLACE VIEW clock AS SELECT {} AS now", time(as_of)),
        format!(
            "CREATE OR REPLACE VIEW grace AS SELECT now, now - {} AS ended_by, '{grace:#}' AS ended_text, now - {} AS \
             started_by, '{session:#}' AS started_text FROM clock",
            seconds(grace),
            seconds(session),
        ),
        format!(
            "CREATE OR REPLACE VIEW period AS SELECT {} AS since, {} AS until",
            time(period.since()),
            time(period.until())
        ),
    ]
}

struct Athena<'a> {
    client: Client,
    args: &'a EngineArgs,
    output: &'a str,
}

impl Athena<'_> {
    /// Runs a statement to its end.
    fn run(&self, statement: &str) -> Result<(), Failure> {
        let first: String = statement.lines().next().unwrap_or_default().chars().take(80).collect();
        let failed = |reason: String| Failure {
            message: format!("Athena: {reason} (in `{first}`)"),
            outcome: Outcome::Incomplete,
        };
        let results = ResultConfiguration::builder().output_location(self.output).build();
        let mut start = self
            .client
            .start_query_execution()
            .query_string(statement)
            .work_group(&self.args.athena_workgroup)
            .result_configuration(results);
        // The database may not be there before it is made.
        if !statement.starts_with("CREATE DATABASE") {
            let database = &self.args.athena_database;
            let context = QueryExecutionContext::builder().database(database).build();
            start = start.query_execution_context(context);
        }
        let started = aws::runtime().block_on(start.send());
        let started = started.map_err(|error| failed(aws::told(&error)))?;
        let id = started.query_execution_id().unwrap_or_default().to_owned();
        let mut wait = Duration::from_millis(100);
        loop {
            let ask = self.client.get_query_execution().query_execution_id(&id).send();
            let asked = aws::runtime().block_on(ask);
            let asked = asked.map_err(|error| failed(aws::told(&error)))?;
            let status = asked.query_execution().and_then(|query| query.status().cloned());
            let reason = || {
                let reason = status.as_ref().and_then(|status| status.state_change_reason());
                reason.unwrap_or("it does not say why").to_owned()
            };
            match status.as_ref().and_then(|status| status.state()) {
                Some(QueryExecutionState::Succeeded) => return Ok(()),
                Some(QueryExecutionState::Failed | QueryExecutionState::Cancelled) => {
                    return Err(failed(reason()));
                }
                _ => aws::pause(wait),
            }
            wait = (wait * 2).min(Duration::from_secs(3));
        }
    }
}

/// Fetches the objects below a prefix into a folder.
fn fetch(uri: &str, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let bucket = Bucket::open(uri)?;
    for (nth, object) in bucket.list(Versions::Latest).enumerate() {
        let mut file = File::create(folder.join(format!("{nth:06}.parquet")))?;
        io::copy(&mut object?.get()?.reader(), &mut file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_parted_by_their_semicolons() {
        for sql in SQL {
            // Comments have lines of their own.
            let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
            code.for_each(|line| assert!(!line.contains(" -- "), "{line}"));
        }
        let all = statements(&SQL.join("\n"), "s3://audit/store/", "audit");
        assert!(all.iter().all(|statement| statement.starts_with("CREATE ")), "{all:?}");
        assert!(all.iter().any(|s| s.contains("'s3://audit/store/facts/findings/'")));
        assert!(all.iter().all(|s| !s.contains("{root}") && !s.contains("{database}")));
    }
}

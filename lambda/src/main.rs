//! The runtime shell: an event of AWS Lambda → a verb → an answer. [`event`] says which events there are.

mod app;
mod clock;
mod config;
mod event;
mod log;
mod rules;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

use crate::app::{App, Failure};
use crate::config::Config;
use crate::log::{Log, Severity};

/// Time that is kept for the end of an invocation: alerts, and what is to be given back.
const RESERVE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    aws::prepare();
    #[expect(clippy::disallowed_methods, reason = "the shells read the environment")]
    let config = Config::read(|name| std::env::var(name).ok());
    let config = match config {
        Ok(config) => config,
        Err(wrong) => {
            Log::new(Severity::Error).error("the environment is wrong", json!({"wrong": wrong}));
            return ExitCode::from(2);
        }
    };
    let log = Log::new(config.log);
    let app = match App::open(config, &log) {
        Ok(app) => Arc::new(app),
        Err(error) => {
            log.error("the function cannot begin", json!({"reason": error.to_string()}));
            return ExitCode::from(2);
        }
    };
    let handler =
        service_fn(move |event: LambdaEvent<Value>| invoke(Arc::clone(&app), log.clone(), event));
    match aws::runtime().block_on(lambda_runtime::run(handler)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Log::new(Severity::Error)
                .error("the runtime ends", json!({"reason": error.to_string()}));
            ExitCode::FAILURE
        }
    }
}

async fn invoke(app: Arc<App>, log: Log, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let LambdaEvent { payload, context } = event;
    let mut log = log.with("request_id", context.request_id.as_str());
    if let Some(trace) = &context.xray_trace_id {
        log = log.with("trace_id", trace.as_str());
    }
    let left = clock::until(context.deadline);
    // At most half of it: what has little time has to do something in it.
    let until = left.saturating_sub(RESERVE.min(left / 2));
    let stop = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&stop);
    let (app_log, failure_log) = (log.clone(), log);
    // The verbs wait: they have a thread of their own.
    let work = tokio::task::spawn_blocking(move || app.handle(&payload, &watched, &app_log));
    let done = tokio::select! {
        done = work => done,
        () = app::stop_after(until, stop) => unreachable!("it waits for ever"),
    };
    let done = done.unwrap_or_else(|_| {
        Err(Failure::Undone("a bug in ssm-audit was met; please report it".to_owned()))
    });
    done.map_err(|error| {
        failure_log.error("the invocation fails", json!({"reason": error.to_string()}));
        Diagnostic { error_type: error.kind().to_owned(), error_message: error.to_string() }
    })
}

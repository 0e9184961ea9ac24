//! What the function says of itself: lines of JSON, and metrics in CloudWatch's embedded format, on standard output.

use std::io::Write as _;

use serde_json::{Map, Value, json};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Error,
    Warn,
    Info,
    Debug,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }
}

/// Writes lines, each with what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    most: Severity,
    common: Map<String, Value>,
}

impl Log {
    /// What matters less than `most` is left out.
    pub(crate) fn new(most: Severity) -> Self {
        Self { most, common: Map::new() }
    }

    /// The same, with more in each line.
    pub(crate) fn with(&self, name: &str, value: impl Into<Value>) -> Self {
        let mut log = self.clone();
        log.common.insert(name.to_owned(), value.into());
        log
    }

    /// Writes a line. `fields` is an object.
    pub(crate) fn line(&self, severity: Severity, message: &str, fields: Value) {
        if severity > self.most {
            return;
        }
        let mut line = Map::new();
        line.insert("time".to_owned(), crate::clock::now().to_string().into());
        line.insert("level".to_owned(), severity.as_str().into());
        line.insert("message".to_owned(), message.into());
        line.extend(self.common.clone());
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        print(&Value::Object(line));
    }

    pub(crate) fn error(&self, message: &str, fields: Value) {
        self.line(Severity::Error, message, fields);
    }
}

/// A line in one piece. JSON has its control characters escaped: nothing that a stranger wrote begins a line of its own.
fn print(line: &Value) {
    let mut text = line.to_string();
    text.push('\n');
    // If nobody listens, there is nobody to tell.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// A metric: its name, its unit, its values.
pub(crate) type Metric = (&'static str, &'static str, Vec<f64>);

/// Writes metrics: one line, from which CloudWatch takes them.
pub(crate) fn metrics(namespace: &str, function: &str, metrics: &[Metric]) {
    let metrics: Vec<&Metric> =
        metrics.iter().filter(|(_, _, values)| !values.is_empty()).collect();
    if metrics.is_empty() {
        return;
    }
    print(&embedded(namespace, function, &metrics, crate::clock::now().as_millisecond()));
}

fn embedded(namespace: &str, function: &str, metrics: &[&Metric], millis: i64) -> Value {
    let named: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": millis,
            "CloudWatchMetrics": [{"Namespace": namespace, "Dimensions": [["Function"]], "Metrics": named}],
        },
        "Function": function,
    });
    for (name, _, values) in metrics {
        // A hundred values are taken of one metric in one line.
        let values = &values[..values.len().min(100)];
        line[*name] = match values {
            [one] => json!(one),
            many => json!(many),
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_in_the_embedded_format() {
        let lag = ("LagSeconds", "Seconds", vec![1.5, 2.0]);
        let line = embedded("n", "f", &[&("Artifacts", "Count", vec![3.0]), &lag], 7);
        let expected = json!({
            "_aws": {"Timestamp": 7, "CloudWatchMetrics": [{"Namespace": "n", "Dimensions": [["Function"]],
                "Metrics": [{"Name": "Artifacts", "Unit": "Count"}, {"Name": "LagSeconds", "Unit": "Seconds"}]}]},
            "Function": "f", "Artifacts": 3.0, "LagSeconds": [1.5, 2.0],
        });
        assert_eq!(line, expected);
    }
}

//! YAML text → nodes that know where they were written.

use std::sync::Arc;

pub use yaml::{Node, Packed, Value, pack};

use crate::diagnostic::{Diagnostic, Source};
use crate::known;

/// Reads all documents of a source.
pub fn documents(source: &Arc<Source>) -> Result<Vec<Node>, Box<Diagnostic>> {
    if let Some(nodes) = known::documents(&source.text) {
        return Ok(nodes);
    }
    yaml::documents(&source.text).map_err(|broken| {
        let message = format!("not valid YAML: {}", broken.message);
        Box::new(Diagnostic::error(source, broken.at..broken.at + 1, message))
    })
}

impl yaml::Written for Source {
    fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source { name: "x.yml".into(), text: text.into() })
    }

    #[test]
    fn spans_are_those_of_the_text() {
        let source = source("a: 'x y'\nb:\n  - 007\n  - ~\n  - no\n");
        let documents = documents(&source).unwrap();
        let b = documents[0].get("b").unwrap();
        assert_eq!(&source.text[documents[0].get("a").unwrap().span.clone()], "'x y'");
        assert_eq!(b.items()[0].scalar_text(&source).as_deref(), Some("007"));
        assert_eq!(b.items()[1].value, Value::Null);
        assert_eq!(b.items()[2].as_text(), Some("no"));
    }

    #[test]
    fn broken_yaml_is_named_with_its_line() {
        for (text, line) in [("a: 1\na: 2\n", 2), ("a: [1,\n", 1), ("x: ü\ny: [1, }\n", 2)] {
            let error = documents(&source(text)).unwrap_err();
            assert_eq!(error.line_column().0, line, "{error}");
        }
    }

    #[test]
    fn alias_bombs_and_deep_nesting_are_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for i in 1..12 {
            let refs = vec![format!("*a{}", i - 1); 10].join(",");
            bomb.extend([
                "a".into(),
                i.to_string(),
                ": &a".into(),
                i.to_string(),
                format!(" [{refs}]\n"),
            ]);
        }
        assert!(documents(&source(&bomb)).is_err());
        let deep = format!("a: {}{}", "[".repeat(20_000), "]".repeat(20_000));
        assert!(documents(&source(&deep)).is_err());
    }
}

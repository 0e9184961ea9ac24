//! What a Run Command invocation printed. The command itself is not in it, and CloudTrail hides it (FORMATS A9): all
//! that such an artifact tells is that a command with this id printed something on this node.

use model::Place;

/// The output of a command, on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// Where it is.
    pub place: Place,
    /// `commandId`, as in CloudTrail's record of `SendCommand`.
    pub command_id: String,
    /// The node.
    pub target: String,
    /// The document's step, as the path names it.
    pub step: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Its size, after decompression.
    pub bytes: u64,
}

impl CommandOutput {
    /// What the agent's own path tells: `…/<command id>/<node>/<plugin>/<step>/stdout` in S3, the same without a step
    /// in CloudWatch Logs. The content can be anything.
    pub(crate) fn of_path(path: &str, place: Place) -> Option<Self> {
        let path = path.strip_suffix(".gz").unwrap_or(path);
        let parts: Vec<&str> = path.split(['/', '\\']).collect();
        let (stream, before) = parts.split_last()?;
        if !matches!(*stream, "stdout" | "stderr") {
            return None;
        }
        let at = before.windows(2).rposition(|pair| is_uuid(pair[0]) && is_node(pair[1]))?;
        let step = before[at + 2..].last()?;
        Some(Self {
            place,
            command_id: before[at].to_owned(),
            target: before[at + 1].to_owned(),
            step: (*step).to_owned(),
            stream: (*stream).to_owned(),
            bytes: 0,
        })
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn is_node(text: &str) -> bool {
    text.strip_prefix("mi-")
        .or_else(|| text.strip_prefix("i-"))
        .is_some_and(|id| id.len() >= 8 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_command_and_node() {
        let of = |path: &str| CommandOutput::of_path(path, Place::new("x", 0));
        let id = "92853adf-ba41-4cd6-9a88-142d1EXAMPLE";
        assert_eq!(
            of(&format!("out/{id}/i-02573cafcf/awsrunShellScript/runShellScript/stdout")),
            None
        );
        let id = "92853adf-ba41-4cd6-9a88-142d10000000";
        let found =
            of(&format!("out/{id}/i-02573cafcf/awsrunShellScript/0.awsrunShellScript/stdout"));
        let found = found.map(|o| (o.command_id, o.target, o.step, o.stream));
        let expected = (id, "i-02573cafcf", "0.awsrunShellScript", "stdout");
        assert_eq!(
            found,
            Some((expected.0.into(), expected.1.into(), expected.2.into(), expected.3.into()))
        );
        assert!(of(&format!("{id}/mi-02573cafcf/runShellScript/stderr")).is_some());
        assert_eq!(of("a/b/stdout"), None);
    }
}

//! Secrets taken out of what is shown.
//!
//! What was typed at a prompt that does not echo is in no recording. But much that is secret is typed in the open:
//! options, assignments, headers, connection strings, keys. Each is replaced by `[secret:1a2b3c]`, whose six digits
//! are the same wherever the secret is, so that two uses can be told to be of one. The evidence stays in the
//! recording itself.

mod places;

use std::borrow::Cow;

use model::{Command, Evidence};
use sha2::{Digest as _, Sha256};

/// Masks secrets, or does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Masker {
    /// Leave everything as it is.
    pub reveal: bool,
}

/// Six hexadecimal digits that are the same for the same secret. Too few to tell the secret from, of all that
/// there can be; a guess can be tested against them, as against any fingerprint.
fn fingerprint(secret: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"ssm-audit secret\0");
    hash.update(secret.as_bytes());
    let digest = hash.finalize();
    format!("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

impl Masker {
    /// The text without its secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.reveal {
            return Cow::Borrowed(text);
        }
        let secrets = places::secrets(text);
        if secrets.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len() + 16);
        let mut plain = 0;
        for secret in secrets {
            out.push_str(&text[plain..secret.start]);
            out.push_str(&masked(&text[secret.clone()]));
            plain = secret.end;
        }
        out.push_str(&text[plain..]);
        Cow::Owned(out)
    }

    /// JSON without the secrets in its texts, but for what stands under the names `plain` of its own, where there are none. What is
    /// no JSON is taken as text.
    pub fn json<'t>(&self, json: &'t str, plain: &[&str]) -> Cow<'t, str> {
        if self.reveal {
            return Cow::Borrowed(json);
        }
        let Ok(mut value) = serde_json::from_str::<serde_json::Value>(json) else {
            return self.text(json);
        };
        // What has no secret stays as it was written, to the byte.
        let found = match &mut value {
            serde_json::Value::Object(members) => members
                .iter_mut()
                .filter(|(name, _)| !plain.contains(&name.as_str()))
                .fold(false, |found, (name, member)| self.value(name, member) | found),
            other => self.value("", other),
        };
        if found { value.to_string().into() } else { Cow::Borrowed(json) }
    }

    /// Was there a secret?
    fn value(self, name: &str, value: &mut serde_json::Value) -> bool {
        use serde_json::Value;
        match value {
            Value::String(text) => match self.named(name, text) {
                Some(masked) => {
                    *text = masked;
                    true
                }
                None => false,
            },
            Value::Array(items) => {
                items.iter_mut().fold(false, |found, item| self.value(name, item) | found)
            }
            Value::Object(members) => members
                .iter_mut()
                .fold(false, |found, (name, member)| self.value(name, member) | found),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// The value of a field without its secrets, if it has one. A field may be called what it holds.
    fn named(self, field: &str, value: &str) -> Option<String> {
        let named = format!(" {field}=");
        let whole = format!("{named}{value}");
        // What tells of a secret in the value does so here as well.
        if !places::may_hold(&whole) {
            return None;
        }
        let all = places::secrets(&whole).first().is_some_and(|span| span.start == named.len());
        if all && !value.contains(' ') {
            return Some(masked(value));
        }
        match self.text(value) {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => None,
        }
    }

    /// Takes the secrets out of a command.
    pub fn command(&self, command: &mut Command) {
        if let Cow::Owned(text) = self.text(&command.text) {
            command.text = text;
        }
        if let Some(original) = &mut command.original
            && let Cow::Owned(text) = self.text(original)
        {
            *original = text;
        }
    }

    /// Takes the secrets of a command out of what made a rule match on it: a program's words have lost the quotes that
    /// tell where a secret ends.
    pub fn evidence_of(&self, command: &str, evidence: &mut [Evidence]) {
        if self.reveal {
            return;
        }
        let mut secrets: Vec<&str> = places::secrets(command)
            .into_iter()
            .map(|span| &command[span])
            .filter(|secret| secret.len() > 2)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for value in evidence.iter_mut().filter_map(|part| part.value.as_mut()) {
            for secret in &secrets {
                if value.contains(secret) {
                    *value = value.replace(secret, &masked(secret));
                }
            }
        }
        self.evidence(evidence);
    }

    /// Takes the secrets out of what made a rule match.
    pub fn evidence(&self, evidence: &mut [Evidence]) {
        for part in evidence.iter_mut().filter(|_| !self.reveal) {
            let Some(value) = &mut part.value else { continue };
            if let Some(masked) = self.named(&part.field, value) {
                *value = masked;
            }
        }
    }
}

fn masked(secret: &str) -> String {
    format!("[secret:{}]", fingerprint(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(text: &str) -> String {
        let text = Masker::default().text(text);
        // The digits do not matter here.
        let mut out = String::new();
        let mut rest = &*text;
        while let Some((before, after)) = rest.split_once("[secret:") {
            out.push_str(before);
            out.push('*');
            rest = &after[7..];
        }
        out + rest
    }

    #[test]
    fn json_keeps_all_but_its_secrets() {
        let record = r#"{"userIdentity": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "type": "IAMUser"},
            "responseElements": {"sessionId": "a-0", "tokenValue": "Value hidden due to security reasons."},
            "requestParameters": {"parameters": {"command": ["mysql -u root -pHunter2", "id"]}}}"#;
        let masked = Masker::default().json(record, &["userIdentity"]);
        assert!(
            !masked.contains("Hunter2") && masked.contains("mysql -u root -p[secret:"),
            "{masked}"
        );
        for kept in
            ["AKIAIOSFODNN7EXAMPLE", "IAMUser", "Value hidden due to security reasons.", r#""id""#]
        {
            assert!(masked.contains(kept), "{kept}: {masked}");
        }
        let plain = r#"{"eventName":  "StartSession"}"#;
        assert!(matches!(Masker::default().json(plain, &[]), Cow::Borrowed(same) if same == plain));
    }

    #[test]
    fn secrets_are_taken_out() {
        let cases = [
            ("mysql -u root -pHunter2 db", "mysql -u root -p* db"),
            ("mysql -h x --password=Hunter2", "mysql -h x --password=*"),
            ("mysqldump -p'a b' x", "mysqldump -p'*' x"),
            (
                "aws configure set aws_secret_access_key abc",
                "aws configure set aws_secret_access_key *",
            ),
            ("mysql -pA[b]c", "mysql -p*"),
            ("export AWS_SECRET_ACCESS_KEY=wJalrXUt/K7", "export AWS_SECRET_ACCESS_KEY=*"),
            ("AWS_SESSION_TOKEN='x y' aws s3 ls", "AWS_SESSION_TOKEN='*' aws s3 ls"),
            (
                "curl -H 'Authorization: Bearer abc.def' -u bob:pw http://x",
                "curl -H 'Authorization: Bearer *' -u bob:* http://x",
            ),
            ("curl -H \"X-Api-Key: 123abc\" x", "curl -H \"X-Api-Key: *\" x"),
            ("curl -ubob:pw x", "curl -ubob:* x"),
            ("curl -sSu bob:pw x", "curl -sSu bob:* x"),
            ("curl -u 'bob:a b' x", "curl -u 'bob:*' x"),
            ("psql postgresql://bob:a/b@db/x", "psql postgresql://bob:*@db/x"),
            ("mysql '-pPW' x", "mysql '-p*' x"),
            ("mysqladmin password PW1", "mysqladmin password *"),
            ("useradd -p PW1 bob", "useradd -p * bob"),
            ("openssl passwd -6 'PW1'", "openssl passwd -6 '*'"),
            ("ssh-keygen -t rsa -N PW1", "ssh-keygen -t rsa -N *"),
            ("PW=x1y2 ./run", "PW=* ./run"),
            ("export SECRET_KEY_BASE=abc1", "export SECRET_KEY_BASE=*"),
            ("GITHUB_PAT=abc1 x", "GITHUB_PAT=* x"),
            ("setenv PASSWORD abc1", "setenv PASSWORD *"),
            ("yes PW1 | passwd", "yes * | passwd"),
            ("printf '%s\\n' PW1 | passwd --stdin bob", "printf '%s\\n' * | passwd --stdin bob"),
            ("curl --oauth2-bearer PW1 x", "curl --oauth2-bearer * x"),
            ("curl -d '{\"pw\":\"PW1\"}' x", "curl -d '{\"pw\":\"*\"}' x"),
            ("npm config set //r/:_authToken PW1", "npm config set //r/:_authToken *"),
            ("redis-cli AUTH PW1", "redis-cli AUTH *"),
            (
                "cat > ~/.netrc <<EOF\nmachine x\npassword PW1\nEOF",
                "cat > ~/.netrc <<EOF\nmachine x\npassword *\nEOF",
            ),
            ("psql postgres://bob:s3cret@db:5432/x", "psql postgres://bob:*@db:5432/x"),
            ("psql 'host=db password=s3cret user=x'", "psql 'host=db password=* user=x'"),
            (
                "git clone https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/x",
                "git clone https://*@github.com/x",
            ),
            ("PGPASSWORD=\"p w\" psql", "PGPASSWORD=\"*\" psql"),
            ("sshpass -p hunter2 ssh x", "sshpass -p * ssh x"),
            ("docker login -u bob -p hunter2 r.io", "docker login -u bob -p * r.io"),
            ("echo hunter2 | sudo -S id", "echo * | sudo -S id"),
            ("echo 'bob:pw' | sudo chpasswd", "echo '*' | sudo chpasswd"),
            ("echo '{\"password\": \"abc\"}' > x", "echo '{\"password\": \"*\"}' > x"),
            ("CREATE USER x IDENTIFIED BY 'pw';", "CREATE USER x IDENTIFIED BY '*';"),
            ("ALTER USER x WITH PASSWORD 'pw';", "ALTER USER x WITH PASSWORD '*';"),
            (
                "aws ssm put-parameter --name /x --value pw --type SecureString",
                "aws ssm put-parameter --name /x --value * --type SecureString",
            ),
            (
                "cat > k <<EOF\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nEOF",
                "cat > k <<EOF\n-----BEGIN RSA PRIVATE KEY-----*-----END RSA PRIVATE KEY-----\nEOF",
            ),
            ("Server=db;User=sa;Password=pw;", "Server=db;User=sa;Password=*;"),
            ("net user bob P@ss /add", "net user bob * /add"),
            ("redis-cli -h x -a pw ping", "redis-cli -h x -a * ping"),
            ("openssl rsa -passin pass:pw -in k", "openssl rsa -passin * -in k"),
            ("gh auth login --with-token <f", "gh auth login --with-token <f"),
            (
                "kubectl create secret generic x --from-literal=k=v1",
                "kubectl create secret generic x --from-literal=k=*",
            ),
            ("vault login hvs.CAESIabcdef", "vault login *"),
            ("DB_PASS=visible-on-cmdline ./x", "DB_PASS=* ./x"),
            (
                "curl 'https://x/y?a=1&X-Amz-Signature=abc&b=2'",
                "curl 'https://x/y?a=1&X-Amz-Signature=*&b=2'",
            ),
            ("A_PASS=x1 B_PASS=x2 run", "A_PASS=* B_PASS=* run"),
        ];
        for (text, expected) in cases {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "ls -la /etc/passwd",
            "cat /etc/shadow | grep pass",
            "mysql -u root -p",
            "mysql -p -u root",
            "mkdir -p /srv/x",
            "ssh -p 22 host",
            "PGPASSWORD=$PW psql",
            "curl -u \"$USER:$PASS\" x",
            "export TOKEN=$(cat /run/token)",
            "cd $PWD; PWD=/srv x",
            "aws secretsmanager get-secret-value --secret-id prod/db",
            "pg_dump --no-password db",
            "docker login --password-stdin r.io",
            "passwd bob",
            "curl http://x:80/y",
            "grep -r token src",
            "ssh-keygen -t ed25519 -f key",
            "read -s -p 'API key: ' KEY",
            "grep -i password: /etc/app.conf",
            "docker build --secret id=npm,src=x .",
            "aws logs filter-log-events --next-token abc",
            "curl http://x/?key=name",
            "curl http://x/?code=200",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn one_secret_has_one_fingerprint() {
        let masker = Masker::default();
        let one = masker.text("mysql -pHunter2").into_owned();
        let two = masker.text("export DB_PASSWORD='Hunter2'").into_owned();
        let mark = |text: &str| {
            text[text.find("[secret:").unwrap_or(0)..].trim_end_matches('\'').to_owned()
        };
        assert_eq!(mark(&one), mark(&two));
        assert_ne!(mark(&one), mark(&masker.text("mysql -pHunter3")));
        assert_eq!(masker.text(&one), one, "masking twice is masking once");
        assert_eq!(Masker { reveal: true }.text("mysql -pHunter2"), "mysql -pHunter2");
    }

    #[test]
    fn a_program_s_words_are_masked_by_the_line_they_come_from() {
        let cases = [
            ("echo Hunter2Zebra9 | sudo -S id", "echo Hunter2Zebra9"),
            ("sudo mysql -p'Hunter2 Zebra9' db", "mysql -pHunter2 Zebra9 db"),
            ("env DB_PASSWORD='Hunter2 Zebra9' x", "env DB_PASSWORD=Hunter2 Zebra9 x"),
        ];
        for (line, value) in cases {
            let mut evidence = [Evidence {
                field: "CommandLine".into(),
                value: Some(value.into()),
                selection: "s".into(),
            }];
            Masker::default().evidence_of(line, &mut evidence);
            let shown = evidence[0].value.as_deref().unwrap_or_default();
            assert!(!shown.contains("Hunter") && !shown.contains("Zebra"), "{shown}");
        }
    }

    #[test]
    fn a_field_may_be_called_what_it_holds() {
        let mut evidence = [
            Evidence {
                field: "requestParameters.password".into(),
                value: Some("x1y2".into()),
                selection: "s".into(),
            },
            Evidence {
                field: "eventName".into(),
                value: Some("GetSecretValue".into()),
                selection: "s".into(),
            },
            Evidence {
                field: "requestParameters.masterUserPassword".into(),
                value: Some("HIDDEN_DUE_TO_SECURITY_REASONS".into()),
                selection: "s".into(),
            },
        ];
        Masker::default().evidence(&mut evidence);
        let values: Vec<_> = evidence.iter().filter_map(|e| e.value.as_deref()).collect();
        assert!(values[0].starts_with("[secret:"), "{values:?}");
        assert_eq!(values[1..], ["GetSecretValue", "HIDDEN_DUE_TO_SECURITY_REASONS"]);
    }
}

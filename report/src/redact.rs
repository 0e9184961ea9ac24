//! Principals under another name: a report that can be shown to somebody who need not know who.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;

/// Users that are nobody in particular.
const NOBODY: [&str; 9] = [
    "root",
    "ssm-user",
    "Administrator",
    "ec2-user",
    "ubuntu",
    "admin",
    "SYSTEM",
    "user",
    "ecs-execute-command",
];

/// Names as they are, and what stands for each.
#[derive(Debug, Default)]
pub struct Redactor {
    names: Option<AhoCorasick>,
    instead: Vec<String>,
}

/// Gathers the principals that there are.
#[derive(Debug, Default)]
pub struct Names {
    /// A person's whole name, and their number in the order in which they came first.
    whole: BTreeMap<String, usize>,
    /// What may be several people's: what stands before the @ of an address, a user of the operating system.
    shared: BTreeMap<String, BTreeSet<usize>>,
}

/// Is it a name that tells who?
fn tells(name: &str) -> bool {
    name.chars().count() > 2 && !NOBODY.contains(&name)
}

impl Names {
    /// A principal, and under what other names it is known. Of an ARN it is the last part that names somebody; which role it is tells
    /// what they may do, and stays. What is no ARN is a name as a whole, or an id with one behind its colon.
    pub fn add<'n>(
        &mut self,
        principal: Option<&'n str>,
        others: impl IntoIterator<Item = Option<&'n str>>,
    ) {
        let own = principal.map(|principal| match principal.rsplit_once('/') {
            Some((_, name)) => name,
            None if principal.starts_with("arn:") => "",
            None => principal.split_once(':').map_or(principal, |(_, name)| name),
        });
        let names = own.into_iter().chain(others.into_iter().flatten()).filter(|name| tells(name));
        let names: Vec<&str> = names.collect();
        let known = names.iter().find_map(|name| self.whole.get(*name).copied());
        let number = known.unwrap_or_else(|| self.whole.values().max().map_or(1, |last| last + 1));
        for name in names {
            let number = *self.whole.entry(name.to_owned()).or_insert(number);
            if let Some((local, _)) = name.split_once('@').filter(|(local, _)| tells(local)) {
                self.shared.entry(local.to_owned()).or_default().insert(number);
            }
        }
    }

    /// The login that a session's id begins with: a claim, and a name all the same.
    pub fn login(&mut self, session: &str) {
        if let Some((login, _)) = session.rsplit_once('-') {
            self.add(Some(login), []);
        }
    }

    /// A user of the operating system that a principal worked as.
    pub fn user(&mut self, principal: Option<&str>, user: Option<&str>) {
        let own = principal.and_then(|principal| principal.rsplit_once('/')).map(|(_, name)| name);
        let number = own.and_then(|own| self.whole.get(own).copied());
        if let (Some(number), Some(user)) = (number, user.filter(|user| tells(user))) {
            self.shared.entry(user.to_owned()).or_default().insert(number);
        }
    }

    /// What takes them out.
    pub fn redactor(self) -> Redactor {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (name, numbers) in self.shared {
            let instead = match numbers.iter().collect::<Vec<_>>()[..] {
                [number] => format!("principal-{number:04}"),
                _ => "principal-several".to_owned(),
            };
            all.insert(name, instead);
        }
        for (name, number) in self.whole {
            all.insert(name, format!("principal-{number:04}"));
        }
        let (names, instead): (Vec<String>, Vec<String>) = all.into_iter().unzip();
        let names = AhoCorasick::builder().ascii_case_insensitive(true).build(&names);
        Redactor { names: Some(names.expect("so many names fit")), instead }
    }
}

impl Redactor {
    /// The text without names; `None` if there is none in it.
    pub fn changed(&self, text: &str) -> Option<String> {
        let names = self.names.as_ref()?;
        // A name within a word is another word; a longer one that is, may have a shorter one in it that is not.
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let mut found: Vec<_> = names
            .find_overlapping_iter(text)
            .filter(|found| {
                !is_word(text[..found.start()].chars().next_back())
                    && !is_word(text[found.end()..].chars().next())
            })
            .collect();
        found.sort_by_key(|found| (found.start(), std::cmp::Reverse(found.end())));
        let mut out: Option<String> = None;
        let mut done = 0;
        for found in found {
            if found.start() < done {
                continue;
            }
            let out = out.get_or_insert_default();
            out.push_str(&text[done..found.start()]);
            out.push_str(&self.instead[found.pattern().as_usize()]);
            done = found.end();
        }
        let mut out = out?;
        out.push_str(&text[done..]);
        Some(out)
    }

    /// The text without names.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.changed(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Takes names out of a text, in its place.
    pub fn mend(&self, text: &mut String) {
        if let Some(changed) = self.changed(text) {
            *text = changed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_one_name_wherever_they_are_named() {
        let mut names = Names::default();
        let arn = "arn:aws:sts::111122223333:assumed-role/Ops/alice@example.com";
        names.add(Some(arn), [Some("alice@example.com"), Some("ssm-user")]);
        names.add(Some("arn:aws:iam::111122223333:user/bob"), [None]);
        names.add(Some("arn:aws:sts::444455556666:assumed-role/Dev/alice@example.com"), [None]);
        let redactor = names.redactor();
        let cases = [
            (arn, "arn:aws:sts::111122223333:assumed-role/Ops/principal-0001"),
            ("alice@example.com-0a1b2c3d4e5f60718", "principal-0001-0a1b2c3d4e5f60718"),
            ("su - Alice; id bob", "su - principal-0001; id principal-0002"),
            ("malice bobby ssm-user", "malice bobby ssm-user"),
            ("s3://logs/alice@example.com-1.log", "s3://logs/principal-0001-1.log"),
        ];
        for (text, redacted) in cases {
            assert_eq!(redactor.text(text), redacted);
        }
        assert_eq!(Redactor::default().text("alice"), "alice");
    }

    #[test]
    fn nobody_slips_through_and_nobody_becomes_another() {
        let mut names = Names::default();
        let role = |name: &str| format!("arn:aws:sts::111122223333:assumed-role/Ops/{name}");
        for name in ["alice@corp.example", "alice@other.example", "svc-migrate", "svc-migrate-2"] {
            names.add(Some(&role(name)), []);
        }
        names.add(Some("AROAEXAMPLE:greta@corp.example"), []);
        names.add(Some("viktor.blau"), []);
        names.login("zoe@corp.example-0a1b2c3d4e5f60718");
        names.user(Some(&role("svc-migrate")), Some("deployer"));
        names.user(Some(&role("svc-migrate-2")), Some("deployer"));
        let redactor = names.redactor();
        assert_ne!(
            redactor.text(&role("alice@corp.example")),
            redactor.text(&role("alice@other.example"))
        );
        assert_eq!(
            redactor.text("su alice; su deployer"),
            "su principal-several; su principal-several"
        );
        let text = "svc-migrate-20 AROAEXAMPLE:greta@corp.example VIKTOR.BLAU zoe@corp.example-0a1b2c3d4e5f60718";
        let shown = redactor.text(text);
        for name in ["svc-migrate", "greta", "viktor", "zoe"] {
            assert!(!shown.to_lowercase().contains(name), "{name}: {shown}");
        }
    }
}

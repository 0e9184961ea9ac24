//! Principals under another name: a report that can be shown to somebody who need not know who.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};

/// Users that are nobody in particular.
const NOBODY: [&str; 8] =
    ["root", "ssm-user", "Administrator", "ec2-user", "ubuntu", "admin", "SYSTEM", "user"];

/// Names as they are, and what stands for each.
#[derive(Debug, Default)]
pub struct Redactor {
    names: Option<AhoCorasick>,
    instead: Vec<String>,
}

/// Gathers the principals that there are.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, usize>);

impl Names {
    /// A principal, and under what other names it is known. The number is the order in which it came first. Of an ARN it is the
    /// last part that names somebody; which role it is tells what they may do, and stays.
    pub fn add<'n>(
        &mut self,
        arn: Option<&'n str>,
        others: impl IntoIterator<Item = Option<&'n str>>,
    ) {
        let known = |text: &&str| text.len() > 2 && !NOBODY.contains(text);
        let mut names: Vec<&str> = others.into_iter().flatten().collect();
        names.extend(arn.and_then(|arn| arn.rsplit_once('/')).map(|(_, name)| name));
        // What stands before the @ of an address is how a person is called on nodes.
        let locals: Vec<&str> =
            names.iter().filter_map(|name| name.split_once('@').map(|(local, _)| local)).collect();
        names.extend(locals);
        names.retain(known);
        // Whoever has the same name is the same, as far as anybody can tell.
        let number = names.iter().rev().find_map(|name| self.0.get(*name).copied());
        let next = self.0.values().max().map_or(1, |last| last + 1);
        for name in names {
            self.0.entry(name.to_owned()).or_insert(number.unwrap_or(next));
        }
    }

    /// What takes them out.
    pub fn redactor(self) -> Redactor {
        let (names, instead): (Vec<String>, Vec<String>) = self
            .0
            .into_iter()
            .map(|(name, number)| (name, format!("principal-{number:04}")))
            .unzip();
        let names = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .build(&names)
            .ok();
        Redactor { names, instead }
    }
}

impl Redactor {
    /// The text without names; `None` if there is none in it.
    pub fn changed(&self, text: &str) -> Option<String> {
        let names = self.names.as_ref()?;
        let mut out: Option<String> = None;
        let mut done = 0;
        for found in names.find_iter(text) {
            // A name within a word is another word.
            let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let before = text[..found.start()].chars().next_back();
            let behind = text[found.end()..].chars().next();
            if is_word(before) || is_word(behind) {
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
}

//! Text that has to stand in whatever an expression is found in.
//!
//! Running hundreds of expressions on every value is slow, also as one engine: its states do not fit any cache.
//! Most expressions need some plain text, though; that is looked for together with all other text, and the
//! expression is run where it was found.
//!
//! This is read off the expression as it is written: what `\w` and `(?i)` stand for are tables of hundreds of
//! characters, and to make them takes ten times as long as to see what lies between them.

use regex_syntax::ast::{
    Ast, ClassBracketed, ClassSet, ClassSetItem, Flag, Flags, FlagsItemKind, GroupKind, Repetition,
    RepetitionKind, RepetitionRange,
};

use super::pattern::fold;

/// Most alternatives of which one has to be there.
const MAX_SET: usize = 32;
/// Most texts that a part may stand for, so that they are followed one by one.
const MAX_EXACT: usize = 8;
/// Shorter text is found nearly everywhere.
const MIN_LENGTH: usize = 2;

/// Texts of which one has to stand, folded, in any folded text that the expression is found in. `None`: none
/// that are worth looking for.
pub(super) fn required(ast: &Ast) -> Option<Vec<String>> {
    let set = Reader { is_caseless: false }.read(ast).into_needed()?;
    set.iter().all(|text| text.len() >= MIN_LENGTH).then_some(set)
}

/// What a part of an expression comes to.
#[derive(Default)]
struct Found {
    /// The texts of which it stands for one, folded, if they are few and always these.
    exact: Option<Vec<String>>,
    /// Otherwise texts of which one has to be there.
    needed: Option<Vec<String>>,
}

impl Found {
    fn exact(text: impl Into<String>) -> Self {
        Self::one_of(vec![text.into()])
    }

    fn one_of(texts: Vec<String>) -> Self {
        Self { exact: Some(texts), needed: None }
    }

    fn needed(needed: Option<Vec<String>>) -> Self {
        Self { exact: None, needed }
    }

    /// Nothing at all has to be there.
    fn nothing() -> Self {
        Self::default()
    }

    fn into_needed(self) -> Option<Vec<String>> {
        match self.exact {
            Some(texts) => texts.iter().all(|text| !text.is_empty()).then_some(texts),
            None => self.needed,
        }
    }
}

/// Goes through an expression with the flags that hold where it is.
struct Reader {
    /// `(?i)`
    is_caseless: bool,
}

impl Reader {
    fn read(&mut self, ast: &Ast) -> Found {
        match ast {
            Ast::Empty(_) | Ast::Assertion(_) => Found::exact(""),
            Ast::Flags(set) => {
                self.flags(&set.flags);
                Found::exact("")
            }
            Ast::Literal(literal) => self.one(literal.c).map_or_else(Found::nothing, Found::exact),
            Ast::ClassBracketed(class) => {
                self.class(class).map_or_else(Found::nothing, Found::one_of)
            }
            Ast::Dot(_) | Ast::ClassUnicode(_) | Ast::ClassPerl(_) => Found::nothing(),
            Ast::Repetition(repetition) => {
                let found = self.read(&repetition.ast);
                if is_optional(repetition) {
                    Found::nothing()
                } else {
                    Found::needed(found.into_needed())
                }
            }
            Ast::Group(group) => {
                let outside = self.is_caseless;
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    self.flags(flags);
                }
                let found = self.read(&group.ast);
                self.is_caseless = outside;
                found
            }
            // A flag set in one branch holds in those behind it as well.
            Ast::Alternation(alternation) => {
                let all: Vec<Found> =
                    alternation.asts.iter().map(|branch| self.read(branch)).collect();
                let exact = all.iter().map(|found| found.exact.as_ref());
                if let Some(exact) = exact.collect::<Option<Vec<_>>>() {
                    let texts: Vec<String> = exact.into_iter().flatten().cloned().collect();
                    if texts.len() <= MAX_EXACT {
                        return Found::one_of(texts);
                    }
                }
                let mut texts = Vec::new();
                for found in all {
                    let Some(needed) = found.into_needed() else { return Found::nothing() };
                    texts.extend(needed);
                }
                Found::needed((texts.len() <= MAX_SET).then_some(texts))
            }
            Ast::Concat(concat) => {
                let parts: Vec<Found> = concat.asts.iter().map(|part| self.read(part)).collect();
                one_after_the_other(parts)
            }
        }
    }

    fn flags(&mut self, flags: &Flags) {
        let mut is_on = true;
        for item in &flags.items {
            match item.kind {
                FlagsItemKind::Negation => is_on = false,
                FlagsItemKind::Flag(Flag::CaseInsensitive) => self.is_caseless = is_on,
                FlagsItemKind::Flag(_) => {}
            }
        }
    }

    /// What a character always folds to, in whichever case it comes.
    fn one(&self, c: char) -> Option<String> {
        // Letters beyond ASCII have more forms than one sees; and `ſ` is an `s` to expressions without regard to case.
        let is_sure = !self.is_caseless || (c.is_ascii() && !matches!(c, 's' | 'S'));
        is_sure.then(|| fold(c.encode_utf8(&mut [0; 4])))
    }

    /// `[AaB]`: a few letters, folded.
    fn class(&self, class: &ClassBracketed) -> Option<Vec<String>> {
        let ClassSet::Item(item) = &class.kind else { return None };
        if class.negated {
            return None;
        }
        let one = |item: &ClassSetItem| match item {
            ClassSetItem::Literal(literal) => self.one(literal.c),
            _ => None,
        };
        let items = match item {
            ClassSetItem::Union(union) => union.items.as_slice(),
            item => std::slice::from_ref(item),
        };
        let mut letters = items.iter().map(one).collect::<Option<Vec<String>>>()?;
        letters.sort_unstable();
        letters.dedup();
        (1..=MAX_EXACT).contains(&letters.len()).then_some(letters)
    }
}

fn is_optional(repetition: &Repetition) -> bool {
    match &repetition.op.kind {
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => true,
        RepetitionKind::OneOrMore => false,
        RepetitionKind::Range(range) => match range {
            RepetitionRange::Exactly(least)
            | RepetitionRange::AtLeast(least)
            | RepetitionRange::Bounded(least, _) => *least == 0,
        },
    }
}

/// Parts that follow one another: texts side by side are one.
fn one_after_the_other(parts: Vec<Found>) -> Found {
    let nothing = || vec![String::new()];
    let mut sets: Vec<Vec<String>> = Vec::new();
    // What stands side by side, up to here; and is it all that there is?
    let (mut run, mut is_all) = (nothing(), true);
    let mut end = |run: &mut Vec<String>| {
        sets.extend(Found::one_of(std::mem::replace(run, nothing())).into_needed());
    };
    let mut needed = Vec::new();
    for part in parts {
        let Some(texts) = part.exact else {
            end(&mut run);
            is_all = false;
            needed.extend(part.needed);
            continue;
        };
        if run.len() * texts.len() > MAX_EXACT {
            end(&mut run);
            is_all = false;
        }
        let each = |before: &String| texts.iter().map(|text| format!("{before}{text}")).collect();
        run = run.iter().flat_map(|before| -> Vec<String> { each(before) }).collect();
    }
    if is_all {
        return Found::one_of(run);
    }
    end(&mut run);
    sets.extend(needed);
    // The one that is found least often: its shortest text is the longest; of equals the smallest.
    let shortest = |set: &Vec<String>| set.iter().map(String::len).min().unwrap_or(0);
    let best =
        sets.into_iter().max_by_key(|set| (shortest(set).min(8), std::cmp::Reverse(set.len())));
    Found::needed(best)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sigma::Expression;

    #[test]
    fn what_has_to_be_there_is_found() {
        let cases: [(&str, Option<&[&str]>); 13] = [
            (r"(^|[;&|])\s*umask\s+0*0", Some(&["umask"])),
            (r"(?i)Boat\s+-D", Some(&["boat"])),
            (r"^(cat|less)\s+/etc/shadow", Some(&["/etc/shadow"])),
            (r"(curl|wget) .*", Some(&["curl ", "wget "])),
            (r"(curl|w) .*", Some(&["curl ", "w "])),
            (r"-(W|R)\s?([0-9a-f]{2}\s?){2,20}", Some(&["-w", "-r"])),
            (r"\s-[FTd]\s", Some(&["-d", "-f", "-t"])),
            (r"(a|b|c)(d|e|f)(gh|i)", Some(&["dgh", "di", "egh", "ei", "fgh", "fi"])),
            (r"[a-z]x", None),
            (r"[0-9]+", None),
            (r"a(bcd)?e", None),
            (r"x(abc)+y", Some(&["abc"])),
            (r"ÄÖÜ", Some(&["äöü"])),
        ];
        for (expression, expected) in cases {
            let expected = expected.map(|set| set.iter().map(ToString::to_string).collect());
            let ast = regex_syntax::ast::parse::Parser::new().parse(expression).unwrap();
            assert_eq!(required(&ast), expected, "{expression}");
        }
    }

    proptest! {
        /// Law 3: where the expression is found, so is one of its texts.
        #[test]
        fn no_match_is_without_its_text(
            expression in r"(\(\?i\))?([ab]{1,4}|K|ſ|\((aab|bAa|abab)\|(Bab|aaa)\)[+?]?|\.|\[ab\]|a\*|\^|\$){1,6}",
            text in "[aAbBkKſsK ]{0,16}",
        ) {
            let Some(expression) = Expression::parse(&expression) else { return Ok(()) };
            if expression.is_match(&text) && let Some(set) = expression.required() {
                let folded = fold(&text);
                prop_assert!(set.iter().any(|own| folded.contains(own.as_str())), "{set:?}");
            }
        }
    }
}

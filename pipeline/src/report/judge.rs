//! What is worth a look in a session, and which sessions a report is narrowed to.

use std::collections::{BTreeMap, HashSet};

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan as _};
use report::alert::Delivery;
use report::store::{FindingRow, Store, StoreError};
use report::view::events::EventRow;
use report::view::{Coverage, Note, Notes, Pairs, SessionNumber, SessionRow, Sessions};
use rules::Calendar;

use super::Options;

/// What a report is narrowed to. Of values of one kind any counts; all kinds have to hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Account ids.
    pub accounts: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
    /// Parts of an ARN or of a name, without regard to case.
    pub principals: Vec<String>,
    /// Parts of a node's id.
    pub targets: Vec<String>,
    /// Tags of nodes, as the user wrote them, and the nodes that have them.
    pub tagged: Option<(Vec<String>, HashSet<String>)>,
}

/// What is known of something that a filter is asked about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    account: Option<&'a str>,
    region: Option<&'a str>,
    principals: [Option<&'a str>; 2],
    target: Option<&'a str>,
}

impl<'a> Known<'a> {
    pub(super) fn of_event(row: &'a EventRow) -> Self {
        Self {
            account: row.account.as_deref(),
            region: row.region.as_deref(),
            principals: [row.principal.as_deref(), row.principal_claimed_name.as_deref()],
            target: row.target.as_deref(),
        }
    }

    pub(super) fn of_finding(row: &'a FindingRow) -> Self {
        Self {
            account: row.account.as_deref(),
            region: row.region.as_deref(),
            principals: [row.principal.as_deref(), row.principal_claimed_name.as_deref()],
            target: row.target.as_deref(),
        }
    }

    pub(super) fn of_alert(row: &'a Delivery) -> Self {
        Self {
            account: row.account.as_deref(),
            region: row.region.as_deref(),
            principals: [row.principal.as_deref(), None],
            target: row.target.as_deref(),
        }
    }
}

impl Filter {
    /// Is everything wanted?
    pub fn is_empty(&self) -> bool {
        self.told().is_empty()
    }

    pub(super) fn holds_session(&self, row: &SessionRow<'_>) -> bool {
        self.holds(Known {
            account: row.account,
            region: row.region,
            principals: [row.principal_arn, row.principal_name],
            target: row.target,
        })
    }

    pub(super) fn holds(&self, known: Known<'_>) -> bool {
        let is_one = |wanted: &[String], value: Option<&str>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|w| w == value))
        };
        let is_part = |wanted: &[String], values: &[Option<&str>]| {
            wanted.is_empty()
                || values.iter().flatten().any(|value| {
                    let value = value.to_lowercase();
                    wanted.iter().any(|wanted| value.contains(&wanted.to_lowercase()))
                })
        };
        is_one(&self.accounts, known.account)
            && is_one(&self.regions, known.region)
            && is_part(&self.principals, &known.principals)
            && is_part(&self.targets, &[known.target])
            && self
                .tagged
                .as_ref()
                .is_none_or(|(_, nodes)| known.target.is_some_and(|target| nodes.contains(target)))
    }

    /// The words with which a report says what it was narrowed to.
    pub fn told(&self) -> BTreeMap<String, Vec<String>> {
        let tags = self.tagged.as_ref().map(|(tags, _)| tags.clone()).unwrap_or_default();
        [
            ("account", self.accounts.clone()),
            ("region", self.regions.clone()),
            ("principal", self.principals.clone()),
            ("node", self.targets.clone()),
            ("node tag", tags),
        ]
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| (name.to_owned(), values))
        .collect()
    }
}

/// Roles that are kept for emergencies: names in which `*` stands for any characters.
#[derive(Clone, Debug, Default)]
pub struct BreakGlass(Vec<String>);

impl BreakGlass {
    /// By the list of a pack.
    pub fn of(pack: &rules::Pack) -> Self {
        Self(pack.lists.get("break_glass_roles").cloned().unwrap_or_default())
    }

    /// The names, as the list has them.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// Was a principal such a role, directly or as a permission set of Identity Center?
    pub fn is(&self, arn: &str) -> bool {
        let Some((_, role)) = arn.split_once(":assumed-role/") else { return false };
        let role = role.split('/').next().unwrap_or_default();
        let set = role.strip_prefix("AWSReservedSSO_").and_then(|set| set.rsplit_once('_'));
        let names = [Some(role), set.map(|(set, _)| set)];
        names.into_iter().flatten().any(|name| self.0.iter().any(|pattern| fits(pattern, name)))
    }
}

/// Does a name fit a pattern? Without regard to case, as rules compare.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Looks at sessions.
pub(super) struct Judge<'a> {
    calendar: Option<&'a Calendar>,
    break_glass: &'a BreakGlass,
    long: SignedDuration,
    /// Who was where before; none if nothing is known of the time before.
    before: Option<Pairs>,
    options: &'a Options<'a>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(options: &'a Options<'a>, store: &Store) -> Result<Self, StoreError> {
        let first = report::store::day(Some(options.period.since())).unwrap_or(Date::MIN);
        let from = first.checked_sub(options.lookback_days.days()).unwrap_or(Date::MIN);
        let before = match options.lookback_days {
            // Whoever has another engine compute has more than can be read here.
            _ if options.tables.is_some() => None,
            0 => None,
            _ => Some(Pairs::read(store, from, options.period.since())?).filter(|p| !p.is_empty()),
        };
        Ok(Self {
            calendar: options.standards.calendars.get(options.calendar),
            break_glass: &options.standards.break_glass,
            long: options.long,
            before,
            options,
        })
    }

    /// Notes what is worth a look, of sessions in order of their start.
    pub(super) fn all(mut self, sessions: &Sessions, order: &[SessionNumber], notes: &mut [Notes]) {
        let mut known: BTreeMap<&str, bool> = BTreeMap::new();
        for number in order {
            let row = sessions.at(*number, self.options.as_of, self.options.grace);
            let notes = &mut notes[number.index()];
            if row.mfa == Some(false) {
                notes.note(Note::NoMfa);
            }
            if let Some(arn) = row.principal_arn
                && *known.entry(arn).or_insert_with(|| self.break_glass.is(arn))
            {
                notes.note(Note::BreakGlass);
            }
            let outside = |calendar: &Calendar| row.start.is_some_and(|t| !calendar.is_inside(t));
            if self.calendar.is_some_and(outside) {
                notes.note(Note::AfterHours);
            }
            if row.coverage == Coverage::Unrecordable {
                notes.note(Note::Unrecordable);
            }
            if row.duration_s.is_some_and(|seconds| seconds >= self.long.as_secs_f64()) {
                notes.note(Note::Long);
            }
            if let (Some(before), Some(arn), Some(target)) =
                (&mut self.before, row.principal_arn, row.target)
                && before.meet(arn, target)
            {
                notes.note(Note::FirstAccess);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_fit_with_stars() {
        let roles = BreakGlass(vec!["BreakGlass*".to_owned(), "*-emergency-*".to_owned()]);
        let is = |role: &str| roles.is(&format!("arn:aws:sts::111122223333:assumed-role/{role}/x"));
        assert!(
            is("BreakGlass")
                && is("breakglass-prod")
                && is("AWSReservedSSO_BreakGlassAdmin_0123456789abcdef")
        );
        assert!(is("ops-emergency-1") && !is("emergency") && !is("Ops"));
        assert!(!roles.is("arn:aws:iam::111122223333:user/BreakGlass"));
        assert!(
            fits("a*b*c", "aXbYc") && !fits("a*b*c", "acb") && fits("*", "") && !fits("a", "ab")
        );
    }
}

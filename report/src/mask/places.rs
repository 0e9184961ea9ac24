//! Where secrets stand in a text.
//!
//! Most texts have none, and what most of the expressions look for is in none of them: so each expression is made and run only
//! where some plain text of its own is, and what is made for text that is ASCII, as nearly all is, is a tenth as large.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;

/// A word of a shell, its quotes left outside.
const WORD: &str = r#"(?:\$?"((?:[^"\\]|\\.)+)"|\$?'([^']+)'|([^ \t\r\n"'|&;<>()]+))"#;
/// The same, behind a blank: nothing that begins like an option.
const VALUE: &str =
    r#"(?:\$?"((?:[^"\\]|\\.)+)"|\$?'([^']+)'|([^ \t\r\n"'|&;<>()-][^ \t\r\n"'|&;<>()]*))"#;
/// What may stand between a program and its option.
const GAP: &str = r"[^|;&\n]*?[ \t]";
/// How names of secrets end.
const SECRET: &str = r"(?:pass|pass(?:word|wd|phrase|code|in|out)|pwd|pw|pat|auth|auth[-_]?key|authtoken|secret[-_]?key[-_]?base|secret|secret[-_]?string|token|token[-_]?code|(?:api|secret|access|account|shared|encryption|private|master|license|signing)[-_]?key|credentials?|sas)";

/// Texts of which [`SECRET`] needs one.
const NAMES: &[&str] = &["pass", "pw", "pat", "auth", "secret", "token", "key", "cred", "sas"];

/// A place at which secrets stand.
struct Place {
    /// Its first group that matched is one. `{w}`, `{v}`, `{gap}` and `{secret}` stand for the pieces above.
    expression: &'static str,
    /// Texts, in lower case, of which one is there, in any case.
    telltales: &'static [&'static str],
    /// Others: of each of these lists one is there as well.
    also: &'static [&'static [&'static str]],
}

const fn place(
    expression: &'static str,
    telltales: &'static [&'static str],
    also: &'static [&'static [&'static str]],
) -> Place {
    Place { expression, telltales, also }
}

const PLACES: &[Place] = &[
    // Options of any program: `--password x`, `--client-secret=x`, `-Password x`.
    place(r"(?i)(?:^|[ \t\n])--?[a-z0-9_-]*{secret}={w}", NAMES, &[&["-"], &["="]]),
    place(r"(?i)(?:^|[ \t\n])--?[a-z0-9_-]*{secret}[ \t]+{v}", NAMES, &[&["-"]]),
    // Assignments, keys of JSON, YAML and ini files, parts of connection strings.
    place(
        r#"(?i)(?:^|[ \t\n;&|({"'`,?.:\[$@])[a-z0-9_.-]*{secret}["'\])]*[ \t]*(?:=>|:=|==?|:)[ \t]*{w}"#,
        NAMES,
        &[&["=", ":"]],
    ),
    // Headers.
    place(
        r#"(?i)authorization["']?[ \t]*[:=][ \t]*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey|splunk|key)[ \t]+)?([^ \t\r\n"'][^"'\r\n]*)"#,
        &["authorization"],
        &[],
    ),
    place(
        r#"(?i)(?:x-[a-z0-9-]*(?:token|key|secret|auth)|private-token|job-token|api-key|cookie)["']?[ \t]*:[ \t]*([^ \t\r\n"'][^"'\r\n]*)"#,
        &["token", "key", "secret", "auth", "cookie"],
        &[&[":"]],
    ),
    // In addresses: `scheme://user:secret@host`, `https://token@host`, signatures.
    place(r#"[a-zA-Z][a-zA-Z0-9+.-]*://[^ \t\r\n/:@"']*:([^ \t\r\n/@"']+)@"#, &["://"], &[&["@"]]),
    place(
        r#"(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|oracle|jdbc:[a-z]+)://[^ \t\r\n/:@"']*:([^ \t\r\n"']+)@"#,
        &["://"],
        &[&["@"]],
    ),
    place(r"[a-zA-Z][a-zA-Z0-9+.-]*://([A-Za-z0-9_-]{16,})@", &["://"], &[&["@"]]),
    place(
        r#"(?i)[?&](?:sig|signature|x-amz-signature|x-amz-security-token|access_token|auth|token|apikey|api_key|client_secret)=([^& \t\r\n"']+)"#,
        &["sig", "token", "auth", "key", "secret"],
        &[&["?", "&"], &["="]],
    ),
    place(r#"(?i)[?&](?:key|code)=([^& \t\r\n"']{16,})"#, &["key=", "code="], &[&["?", "&"]]),
    place(r"api\.telegram\.org/bot([0-9]+:[A-Za-z0-9_-]+)", &["api.telegram.org"], &[]),
    place(r"discord(?:app)?\.com/api/webhooks/[0-9]+/([A-Za-z0-9_-]+)", &["/api/webhooks/"], &[]),
    // Keys.
    place(
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(.+?)(?:-----END|\z)",
        &["private key"],
        &[],
    ),
    // Tokens that can be told by their form.
    place(
        r"(?-u:\b)((?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abposr]-[A-Za-z0-9-]{10,}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|sk-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{30,}|hv[sb]\.[A-Za-z0-9_-]{8,}|npm_[A-Za-z0-9]{30,}|dop_v1_[a-f0-9]{20,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|ya29\.[A-Za-z0-9_-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?|(?:FwoG|IQoJ)[A-Za-z0-9+/=]{60,}))",
        &[
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "xox",
            "k_live_",
            "k_test_",
            "sk-",
            "aiza",
            "hvs.",
            "hvb.",
            "npm_",
            "dop_v1_",
            "sg.",
            "ya29.",
            "age-secret-key-1",
            "eyj",
            "fwog",
            "iqoj",
        ],
        &[],
    ),
    place(r"hooks\.slack\.com/services/([A-Za-z0-9/]+)", &["hooks.slack.com"], &[]),
    // Programs with short options of their own.
    place(
        r"(?-u:\b)(?:mysql(?:dump|admin|import|check)?|mariadb(?:-dump|-admin)?|7z[ar]?|unrar|mongo(?:sh|dump|restore)?){gap}-p{w}",
        &["mysql", "mariadb", "7z", "unrar", "mongo"],
        &[&["-p"]],
    ),
    place(
        r#"(?-u:\b)(?:mysql(?:dump|admin|import|check)?|mariadb(?:-dump|-admin)?|7z[ar]?){gap}['"]-p([^'"]+)['"]"#,
        &["mysql", "mariadb", "7z"],
        &[&["'-p", r#""-p"#]],
    ),
    place(r"(?-u:\b)mysqladmin{gap}password[ \t]+{v}", &["mysqladmin"], &[&["password"]]),
    place(
        r"(?-u:\b)(?:useradd|usermod|adduser){gap}-p[ \t]*{v}",
        &["useradd", "usermod", "adduser"],
        &[&["-p"]],
    ),
    place(r"(?-u:\b)openssl[ \t]+passwd(?:[ \t]+-[^ \t]+)*[ \t]+{v}", &["openssl"], &[&["passwd"]]),
    place(r"(?-u:\b)ssh-keygen{gap}-[NP][ \t]*{v}", &["ssh-keygen"], &[&["-n", "-p"]]),
    place(
        r"(?-u:\b)(?:snmp[a-z]+|snmpwalk){gap}-[AXc][ \t]*{v}",
        &["snmp"],
        &[&["-a", "-x", "-c"]],
    ),
    place(r"(?i)(?-u:\b)redis-cli{gap}auth[ \t]+{v}", &["redis-cli"], &[&["auth"]]),
    place(r"(?-u:\b)lftp{gap}-u[ \t]*[^ \t,]+,([^ \t\r\n]+)", &["lftp"], &[&["-u"]]),
    place(r"(?i)(?-u:\b)setenv[ \t]+[a-z0-9_]*{secret}[ \t]+{v}", &["setenv"], &[]),
    place(
        r"(?i)(?:^|[ \t\n])(?:[a-z0-9_./:-]*_authtoken|secret_access_key)[ \t]+{v}",
        &["_authtoken", "secret_access_key"],
        &[],
    ),
    place(
        r"(?-u:\b)curl{gap}(?:-b|--cookie|--oauth2-bearer)[= \t]*(?:[^ \t=]+=)?{v}",
        &["curl"],
        &[&["-b", "--cookie", "--oauth2-bearer"]],
    ),
    place(r"(?m)^[ \t]*password[ \t]+([^ \t\r\n=:]+)[ \t]*$", &["password"], &[]),
    place(r"(?-u:\b)mongo(?:sh|dump|restore)?{gap}-p[ \t]+{v}", &["mongo"], &[&["-p"]]),
    place(r"(?-u:\b)sshpass[ \t]+-p[ \t]*{v}", &["sshpass"], &[&["-p"]]),
    place(
        r#"(?-u:\b)(?:curl|wget|https?|xh|lwp-request){gap}(?:-[a-zA-Z]*u|-U|--user|--proxy-user)[= \t]*(?:"[^:"]*:([^"]+)"|'[^:']*:([^']+)'|[^ \t\r\n:"']*:([^ \t\r\n"']+))"#,
        &["curl", "wget", "http", "xh", "lwp-request"],
        &[&["-"], &[":"]],
    ),
    place(
        r"(?-u:\b)(?:docker|podman|nerdctl|helm|az|oc|cf|ibmcloud|skopeo|buildah|crane){gap}login{gap}-p[ \t]*{v}",
        &["login"],
        &[&["-p"]],
    ),
    place(r"(?-u:\b)redis-cli{gap}-a[ \t]+{v}", &["redis-cli"], &[&["-a"]]),
    place(r"(?-u:\b)ldap[a-z]+{gap}-w[ \t]*{v}", &["ldap"], &[&["-w"]]),
    place(
        r"(?-u:\b)(?:zip|unzip|sqlcmd|bcp|osql|tsql|ipmitool){gap}-P[ \t]*{v}",
        &["zip", "sqlcmd", "bcp", "osql", "tsql", "ipmitool"],
        &[&["-p"]],
    ),
    place(
        r#"(?-u:\b)(?:smbclient|rpcclient|winexe|net){gap}-U[ \t]*["']?[^ \t\r\n%"']+%([^ \t\r\n"']+)"#,
        &["smbclient", "rpcclient", "winexe", "net"],
        &[&["-u"], &["%"]],
    ),
    place(
        r"(?i)(?-u:\b)net1?(?:\.exe)?[ \t]+user[ \t]+[^ \t/]+[ \t]+([^ \t\r\n/][^ \t\r\n]*)",
        &["net"],
        &[&["user"]],
    ),
    place(
        r"(?-u:\b)(?:echo|printf|yes)[ \t]+(?:-[neE]+[ \t]+|'%s[^']*'[ \t]+)?{v}[ \t]*\|[ \t]*(?:sudo[ \t][^|;&\n]*-S|(?:sudo[ \t]+)?(?:passwd|chpasswd|kinit|cryptsetup|gpg|su)(?-u:\b)|(?:docker|podman|helm|gh)[ \t][^|;&\n]*login)",
        &["echo", "printf", "yes"],
        &[&["|"], &["su", "passwd", "kinit", "cryptsetup", "gpg", "login"]],
    ),
    place(
        r"(?-u:\b)(?:sudo[ \t][^|;&\n]*-S|passwd|chpasswd|kinit|cryptsetup|gpg)[^|;&\n]*<<<[ \t]*{w}",
        &["<<<"],
        &[],
    ),
    place(r"--from-literal[= \t]+[^= \t]+={w}", &["--from-literal"], &[]),
    place(r"(?-u:\b)put-parameter{gap}--value(?:=|[ \t]+){w}", &["put-parameter"], &[]),
    place(
        r"(?-u:\b)configure[ \t]+set[ \t]+[a-z0-9_.]*(?:secret_access_key|session_token)[ \t]+{v}",
        &["secret_access_key", "session_token"],
        &[&["configure"]],
    ),
    place(r"(?-u:\b)vault[ \t]+login[ \t]+{v}", &["vault"], &[&["login"]]),
    place(
        r"(?-u:\b)htpasswd[ \t]+-[A-Za-z]*b[A-Za-z]*[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+{v}",
        &["htpasswd"],
        &[],
    ),
    place(r"(?-u:\b)openssl{gap}-k[ \t]+{v}", &["openssl"], &[&["-k"]]),
    place(
        r"(?-u:\b)(?:nmcli{gap}password|wpa_passphrase[ \t]+[^ \t]+)[ \t]+{v}",
        &["nmcli", "wpa_passphrase"],
        &[],
    ),
    place(
        r"(?i)convertto-securestring[ \t]+(?:-string[ \t]+)?{v}",
        &["convertto-securestring"],
        &[],
    ),
    // SQL.
    place(
        r"(?i)identified[ \t]+(?:with[ \t]+[^ \t]+[ \t]+)?(?:by|as)[ \t]+(?:password[ \t]+)?{w}",
        &["identified"],
        &[],
    ),
    place(r"(?i)password[ \t]*\(?[ \t]*'([^']+)'", &["password"], &[&["'"]]),
];

struct Finder {
    telltales: AhoCorasick,
    /// By telltale: a bit for each place that it tells of.
    told: Vec<u64>,
    engines: Vec<Engine>,
}

/// What runs the expression of a place, made when it is first needed.
#[derive(Default)]
struct Engine {
    /// For text that is ASCII.
    ascii: OnceLock<Regex>,
    any: OnceLock<Regex>,
}

static FINDER: LazyLock<Finder> = LazyLock::new(|| {
    let mut telltales: Vec<&str> = Vec::new();
    let mut told: Vec<u64> = Vec::new();
    for (at, place) in PLACES.iter().enumerate() {
        for telltale in place.telltales {
            let known = telltales.iter().position(|own| own == telltale).unwrap_or_else(|| {
                telltales.push(telltale);
                told.push(0);
                told.len() - 1
            });
            told[known] |= 1 << at;
        }
    }
    let telltales = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        // A table of them takes longer to make than to look through a thousand lines without.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(telltales)
        .expect("the list is short");
    Finder { telltales, told, engines: PLACES.iter().map(|_| Engine::default()).collect() }
});

/// Where the secrets of a text are, in order and apart.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    FINDER.find(text)
}

/// May there be secrets in a text, or in a part of it?
pub(super) fn may_hold(text: &str) -> bool {
    FINDER.places(text) != 0
}

impl Place {
    fn engine(&self, for_ascii: bool) -> Regex {
        let expression = self
            .expression
            .replace("{secret}", SECRET)
            .replace("{w}", WORD)
            .replace("{v}", VALUE)
            .replace("{gap}", GAP);
        let mut builder = Regex::builder();
        if for_ascii {
            builder
                .syntax(syntax::Config::new().unicode(false).utf8(false))
                .configure(meta::Config::new().utf8_empty(false));
        }
        builder.build(&expression).expect("the expressions are constant, and a test compiles them")
    }
}

impl Finder {
    /// The places at which there may be one: a bit for each.
    fn places(&self, text: &str) -> u64 {
        let found = self.telltales.find_overlapping_iter(text);
        let told = found.fold(0, |all, telltale| all | self.told[telltale.pattern().as_usize()]);
        if told == 0 {
            return 0;
        }
        let folded = text.to_ascii_lowercase();
        let has_one = |texts: &&[&str]| texts.iter().any(|own| folded.contains(own));
        let may_be = |at: &usize| told & (1 << at) != 0 && PLACES[*at].also.iter().all(has_one);
        (0..PLACES.len()).filter(may_be).fold(0, |all, at| all | 1 << at)
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let places = self.places(text);
        let is_ascii = text.is_ascii();
        let mut found: Vec<Range<usize>> = Vec::new();
        for at in (0..PLACES.len()).filter(|at| places & (1 << at) != 0) {
            let Engine { ascii, any } = &self.engines[at];
            let place =
                if is_ascii { ascii } else { any }.get_or_init(|| PLACES[at].engine(is_ascii));
            let mut captures = place.create_captures();
            let mut from = 0;
            while from < text.len() {
                let input = regex_automata::Input::new(text).range(from..);
                place.search_captures(&input, &mut captures);
                let Some(whole) = captures.get_match() else { break };
                let secret = (1..captures.group_len()).find_map(|group| captures.get_group(group));
                let Some(secret) = secret.map(|span| span.start..span.end) else { break };
                from = secret.end.max(from + 1);
                while !text.is_char_boundary(from) {
                    from += 1;
                }
                let begin =
                    text[..whole.start()].rfind(['|', ';', '&', '\n']).map_or(0, |at| at + 1);
                let first = text[begin..].split_whitespace().next().unwrap_or_default();
                if is_secret(first, &text[whole.start()..secret.start], &text[secret.clone()]) {
                    found.push(secret);
                }
            }
        }
        found.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        // What overlaps is one.
        let mut apart: Vec<Range<usize>> = Vec::new();
        for span in found {
            match apart.last_mut() {
                Some(last) if span.start < last.end => last.end = last.end.max(span.end),
                _ => apart.push(span),
            }
        }
        apart
    }
}

/// Can this value, found behind `front` in a command of the program `first`, be a secret at all?
fn is_secret(first: &str, front: &str, value: &str) -> bool {
    let front = front.to_ascii_lowercase();
    let asks = ["--no-", "--ask-", "--prompt-"].iter().any(|option| front.contains(option));
    // `PWD=/srv` is a directory.
    let directory = (front.trim_start().starts_with("pwd=") || front.ends_with("oldpwd="))
        && value.starts_with(['/', '~']);
    // A variable is none, nor is what a program prints.
    let refers = value.starts_with('$') || (value.starts_with('%') && value.ends_with('%'));
    // What is looked for is no secret, and a token of a page is none.
    let sought =
        matches!(first, "grep" | "egrep" | "fgrep" | "rg" | "ag" | "ack" | "find" | "locate");
    let named = value.starts_with("id=")
        || ["--next-token", "--starting-token", "--continuation-token"]
            .iter()
            .any(|o| front.contains(o));
    let plain = front.contains("put-parameter")
        && !front.contains("securestring")
        && front.contains("--type string");
    let word = sought
        || named
        || plain
        || matches!(
            value.to_ascii_lowercase().as_str(),
            "true"
                | "false"
                | "yes"
                | "no"
                | "null"
                | "none"
                | "on"
                | "off"
                | "0"
                | "1"
                | "prompt"
                | "stdin"
        );
    let masked = value.starts_with("[secret:")
        || front.ends_with("[secret:")
        || value == "HIDDEN_DUE_TO_SECURITY_REASONS"
        || value.chars().all(|c| c == '*');
    !(asks || directory || refers || word || masked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;

    #[test]
    fn every_place_has_a_bit_and_can_be_compiled() {
        assert!(PLACES.len() <= 64);
        for place in PLACES {
            let _ = (place.engine(true), place.engine(false));
            let texts = place.telltales.iter().chain(place.also.iter().copied().flatten());
            for text in texts {
                assert_eq!(text.to_ascii_lowercase(), **text);
            }
        }
    }

    /// Texts that are made by the expression of a place, with something before and behind.
    fn at_a_place() -> impl Strategy<Value = (usize, String)> {
        (0..PLACES.len()).prop_flat_map(|at| {
            let expression = PLACES[at]
                .expression
                .replace("{secret}", SECRET)
                .replace("{w}", "[a-zA-Z0-9+/]{1,12}")
                .replace("{v}", "[a-zA-Z0-9+/]{1,12}")
                .replace("{gap}", "( [a-z-]{1,5}){0,2}[ \t]")
                .replace("(?:^|", "(?:")
                .replace(r"(?-u:\b)", "")
                .replace(r"(?m)^", "\n")
                .replace(r"[ \t]*$", "\n")
                .replace(r"|\z", "");
            (Just(at), string_regex(&expression).unwrap())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn where_a_secret_stands_its_place_is_looked_at((at, text) in at_a_place()) {
            // To an expression without regard to case these are letters of ASCII; nobody writes `paſſword`.
            let text = text.replace('ſ', "s").replace('\u{212a}', "k");
            let is_ascii = text.is_ascii();
            let found = PLACES[at].engine(is_ascii).is_match(&text);
            if found {
                prop_assert!(FINDER.places(&text) & (1 << at) != 0, "{}: {text:?}", PLACES[at].expression);
            }
        }

        #[test]
        fn both_engines_find_the_same((at, text) in at_a_place()) {
            let text: String = text.chars().filter(char::is_ascii).collect();
            let spans = |engine: Regex| {
                let mut captures = engine.create_captures();
                engine.captures(&text, &mut captures);
                (0..captures.group_len()).map(|group| captures.get_group(group)).collect::<Vec<_>>()
            };
            prop_assert_eq!(spans(PLACES[at].engine(true)), spans(PLACES[at].engine(false)));
        }
    }
}

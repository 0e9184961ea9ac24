//! Programs that read commands of their own, and how their prompts look.

/// A program that reads lines: which one a command line starts, if it does.
pub(super) fn of(line: &str) -> Option<&'static str> {
    // The last program of a pipeline has the terminal; wrappers are looked past.
    let last = line.rsplit(['|', ';', '&', '\n']).next()?;
    let mut words = last.split_whitespace().filter(|word| !word.contains('='));
    let mut skip = false;
    let name = words.find(|word| {
        if std::mem::take(&mut skip) {
            return false;
        }
        skip = matches!(*word, "-u" | "-g" | "--user");
        !(word.starts_with('-')
            || matches!(
                *word,
                "sudo" | "doas" | "env" | "exec" | "command" | "nohup" | "time" | "rlwrap"
            ))
    })?;
    let name = name.rsplit('/').next().unwrap_or(name);
    let rest: Vec<&str> = words.collect();
    PROGRAMS.iter().copied().find(|program| {
        let version = name.strip_prefix(program);
        let named =
            version.is_some_and(|v| v.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
        // With a script or a command to run it does not ask.
        let runs = match *program {
            "python" | "node" | "ruby" | "perl" | "php" | "lua" | "R" | "julia" => {
                rest.iter().any(|word| {
                    !word.starts_with('-') || matches!(*word, "-c" | "-e" | "-m" | "-r" | "-f")
                }) && !rest.contains(&"-i")
            }
            "psql" => rest
                .iter()
                .any(|word| word.starts_with("-c") || word.contains("-Atc") || *word == "-f"),
            "mysql" | "mariadb" => {
                rest.iter().any(|word| word.starts_with("-e") || *word == "--execute")
            }
            "sqlite3" => rest.iter().filter(|word| !word.starts_with('-')).count() > 1,
            "gdb" => rest.iter().any(|word| matches!(*word, "-batch" | "--batch")),
            _ => false,
        };
        named && !runs
    })
}

const PROGRAMS: &[&str] = &[
    "python",
    "ipython",
    "sqlite3",
    "mysql",
    "mariadb",
    "psql",
    "redis-cli",
    "mongo",
    "mongosh",
    "node",
    "irb",
    "pry",
    "php",
    "lua",
    "R",
    "julia",
    "ghci",
    "gdb",
    "lldb",
    "ftp",
    "sftp",
    "lftp",
    "nslookup",
    "cqlsh",
    "sqlplus",
    "bc",
    "dc",
    "clickhouse-client",
    "etcdctl",
    "rails",
    "scala",
    "jshell",
    "perl",
];

/// What was typed behind a prompt of this program; `None` for what it printed.
pub(super) fn typed<'l>(program: &str, line: &'l str) -> Option<&'l str> {
    let after = |prompts: &[&str]| {
        prompts.iter().find_map(|prompt| {
            line.strip_prefix(prompt).or_else(|| (line == prompt.trim_end()).then_some(""))
        })
    };
    let named = |most: usize| {
        // A name, perhaps with a database or a number in brackets, and a sign.
        let at = line
            .char_indices()
            .take_while(|(at, _)| *at <= most)
            .find(|&(at, c)| c == '>' && line[at..].starts_with("> "))?
            .0;
        let name = &line[..at];
        let first = name.split([' ', '[', '(']).next().unwrap_or_default();
        let plain = !first.is_empty()
            && first
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '='));
        plain.then(|| &line[at + 2..])
    };
    match program {
        "python" => after(&[">>> ", "... "]),
        "ipython" => {
            let numbered = line.strip_prefix("In [").and_then(|rest| rest.split_once("]: "));
            numbered.map(|(_, typed)| typed).or_else(|| after(&["   ...: "]))
        }
        "sqlite3" => after(&["sqlite> ", "   ...> "]),
        "mysql" | "mariadb" | "clickhouse-client" => {
            after(&["    -> ", "    '> ", "    \"> ", "    `> ", ":-] "]).or_else(|| named(80))
        }
        "psql" => {
            let at = line.find(['#', '>']).filter(|at| line[*at + 1..].starts_with(' '))?;
            let name = line[..at].strip_suffix(['=', '-', '\'', '"', '(', '*', '!', '^'])?;
            let plain =
                name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '*'));
            plain.then(|| &line[at + 2..])
        }
        "irb" | "pry" | "rails" => {
            let at = ["> ", "* "].iter().find_map(|sign| line.find(sign))?;
            (line.starts_with("irb(") || line.starts_with('[')).then(|| &line[at + 2..])
        }
        "gdb" => after(&["(gdb) ", ">"]),
        "lldb" => after(&["(lldb) "]),
        "php" => after(&["php > ", "php { ", "php ( "]),
        "sqlplus" => after(&["SQL> "]),
        "perl" => line
            .split_once("DB<")
            .and_then(|(_, rest)| rest.split_once("> "))
            .map(|(_, typed)| typed),
        "node" | "R" | "lua" | "mongo" | "nslookup" => {
            after(&["> ", "... ", "+ ", ">> "]).or_else(|| named(40))
        }
        "bc" | "dc" => None,
        _ => named(60),
    }
}

/// Programs whose full-screen page has a line for commands, and how that line begins.
pub(super) fn page(line: &str) -> Option<&'static [char]> {
    let names = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
    names.into_iter().find_map(|name| match name {
        "vi" | "vim" | "nvim" | "view" | "vimdiff" | "visudo" | "vipw" | "vigr" | "sudoedit"
        | "crontab" => Some(&[':'] as &[char]),
        "less" | "more" | "man" | "journalctl" | "systemctl" | "git" | "psql" | "zless"
        | "most" => Some(&['!']),
        _ => None,
    })
}

/// Does the line run a program that takes the whole screen?
pub(super) fn takes_the_screen(line: &str) -> bool {
    let names = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')));
    page(line).is_some() || names.into_iter().any(|name| SCREENS.contains(&name))
}

const SCREENS: &[&str] = &[
    "alsamixer",
    "atop",
    "bmon",
    "btop",
    "cfdisk",
    "cgdb",
    "dialog",
    "emacs",
    "fzf",
    "gdb",
    "glances",
    "htop",
    "iftop",
    "info",
    "iotop",
    "irssi",
    "k9s",
    "lazygit",
    "less",
    "links",
    "lynx",
    "mc",
    "micro",
    "more",
    "most",
    "mtr",
    "mutt",
    "mysql",
    "nano",
    "ncdu",
    "newsboat",
    "nload",
    "nmtui",
    "nnn",
    "pico",
    "powertop",
    "psql",
    "pspg",
    "ranger",
    "screen",
    "slmenu",
    "ssh",
    "sudo",
    "tig",
    "tmux",
    "top",
    "vifm",
    "w3m",
    "watch",
    "whiptail",
    "zellij",
    "bash",
    "zsh",
    "fish",
    "sh",
    "docker",
    "kubectl",
    "su",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_ask_are_known() {
        let cases = [
            ("python3", Some("python")),
            ("sudo -u bob python3.11", Some("python")),
            ("python3 x.py", None),
            ("python3 -c 'x'", None),
            ("mysql -u root -p", Some("mysql")),
            ("mysql -e 'x'", None),
            ("PGPASSWORD=x psql -h db", Some("psql")),
            ("sqlite3 /x.db", Some("sqlite3")),
            ("sqlite3 /x.db 'select 1'", None),
            ("ls", None),
            ("bc -q", Some("bc")),
        ];
        for (line, expected) in cases {
            assert_eq!(of(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_typed_stands_behind_the_prompt() {
        let cases = [
            ("python", ">>> import os", Some("import os")),
            ("python", "...     print(i)", Some("    print(i)")),
            ("python", "1000", None),
            ("mysql", "MariaDB [(none)]> use prod;", Some("use prod;")),
            ("mysql", "    -> where id=3;", Some("where id=3;")),
            ("mysql", "| id | name |", None),
            ("psql", "orders=# select 1;", Some("select 1;")),
            ("psql", "orders-> from x;", Some("from x;")),
            ("psql", " 3 > 2 ", None),
            ("sqlite3", "   ...> from x;", Some("from x;")),
            ("redis-cli", "127.0.0.1:6379> GET x", Some("GET x")),
        ];
        for (program, line, expected) in cases {
            assert_eq!(typed(program, line), expected, "{line}");
        }
    }
}

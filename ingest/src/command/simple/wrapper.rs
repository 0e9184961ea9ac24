//! Programs whose arguments are another command.

use super::lexer::is_assignment;

/// What a program starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) what: What,
    /// As which user, if the program changes it.
    pub(super) user: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A program with its arguments.
    Words(Vec<String>),
    /// A line for a shell.
    Line(String),
}

/// How a program's own arguments end and the command begins.
struct Options {
    /// Letters of options that take a value.
    short: &'static str,
    /// Names of long options that take a value in a word of its own.
    long: &'static [&'static str],
    /// Operands in front of the command.
    operands: usize,
}

const PLAIN: Options = Options { short: "", long: &[], operands: 0 };

const SUDO: Options = Options {
    short: "ughpCrtTDRUa",
    long: &[
        "user",
        "group",
        "host",
        "prompt",
        "close-from",
        "role",
        "type",
        "command-timeout",
        "chdir",
        "chroot",
        "other-user",
    ],
    operands: 0,
};

const DOCKER: Options = Options {
    short: "euwvphmlca",
    long: &[
        "env",
        "env-file",
        "user",
        "workdir",
        "detach-keys",
        "name",
        "volume",
        "publish",
        "hostname",
        "network",
        "net",
        "entrypoint",
        "mount",
        "memory",
        "cpus",
        "label",
        "add-host",
        "cap-add",
        "cap-drop",
        "device",
        "restart",
        "security-opt",
        "pid",
        "ipc",
        "uts",
        "userns",
        "platform",
        "pull",
        "runtime",
        "ulimit",
        "tmpfs",
        "log-driver",
        "log-opt",
        "dns",
        "gpus",
        "shm-size",
        "memory-swap",
        "group-add",
        "volumes-from",
        "cidfile",
        "stop-signal",
        "expose",
        "link",
        "privileged-without-host-devices",
    ],
    operands: 1,
};

/// Where an option stood, and what it was given.
struct Given {
    name: String,
    value: String,
}

/// The arguments of a program, read by the usual rules: options with values in the same or in the next word,
/// then operands.
struct Arguments<'w> {
    given: Vec<Given>,
    flags: Vec<String>,
    rest: &'w [String],
}

impl<'w> Arguments<'w> {
    fn read(words: &'w [String], options: &Options) -> Self {
        let mut out = Self { given: Vec::new(), flags: Vec::new(), rest: &[] };
        let mut at = 0;
        while let Some(word) = words.get(at) {
            if word == "--" {
                at += 1;
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                match long.split_once('=') {
                    Some((name, value)) => out.give(name, value),
                    None if options.long.contains(&long) => {
                        at += 1;
                        out.give(long, words.get(at).map_or("", String::as_str));
                    }
                    None => out.flags.push(long.to_owned()),
                }
            } else if let Some(group) = word.strip_prefix('-').filter(|group| !group.is_empty()) {
                for (place, letter) in group.char_indices() {
                    if !options.short.contains(letter) {
                        out.flags.push(letter.to_string());
                        continue;
                    }
                    let attached = &group[place + letter.len_utf8()..];
                    let mut name = [0; 4];
                    let name = letter.encode_utf8(&mut name);
                    if attached.is_empty() {
                        at += 1;
                        out.give(name, words.get(at).map_or("", String::as_str));
                    } else {
                        out.give(name, attached);
                    }
                    break;
                }
            } else if word.len() == 2 && word.starts_with('+') {
                // What a shell's option is switched off with.
                out.flags.push(word.clone());
            } else {
                break;
            }
            at += 1;
        }
        out.rest = words.get(at..).unwrap_or_default();
        out
    }

    fn give(&mut self, name: &str, value: &str) {
        self.given.push(Given { name: name.to_owned(), value: value.to_owned() });
    }

    fn value(&self, names: &[&str]) -> Option<&str> {
        let given = self.given.iter().rev();
        given.into_iter().find(|g| names.contains(&g.name.as_str())).map(|g| g.value.as_str())
    }

    fn has(&self, names: &[&str]) -> bool {
        self.flags.iter().any(|flag| names.contains(&flag.as_str()))
    }
}

/// What the program with these arguments starts in turn; `input`: what it reads, where the line has it.
pub(super) fn inner(words: &[String], input: Option<&str>) -> Vec<Inner> {
    let Some((first, rest)) = words.split_first() else { return Vec::new() };
    let name = first.rsplit('/').next().unwrap_or_default();
    let one = |what, user: Option<&str>| vec![Inner { what, user: user.map(str::to_owned) }];
    let command = |words: &[String]| What::Words(words.to_vec());
    let line = |words: &[String]| What::Line(words.join(" "));
    let plain = |options: &Options| {
        let rest = Arguments::read(rest, options).rest;
        one(command(rest.get(options.operands..).unwrap_or_default()), None)
    };
    let with = |short, operands| Options { short, long: &[], operands };
    match name {
        "sudo" | "doas" => {
            let arguments = Arguments::read(rest, &SUDO);
            if arguments.has(&["e", "edit", "l", "list", "v", "K", "k"])
                && arguments.rest.is_empty()
            {
                return Vec::new();
            }
            let skip = arguments.rest.iter().take_while(|word| is_assignment(word)).count();
            let user = arguments.value(&["u", "user"]).unwrap_or("root");
            one(command(&arguments.rest[skip..]), Some(user))
        }
        "env" => {
            let arguments = Arguments::read(
                rest,
                &Options { short: "uCS", long: &["unset", "chdir"], operands: 0 },
            );
            let skip = arguments.rest.iter().take_while(|word| is_assignment(word)).count();
            let rest = &arguments.rest[skip..];
            match arguments.value(&["S", "split-string"]) {
                Some(split) => one(What::Line(format!("{split} {}", rest.join(" "))), None),
                None => one(command(rest), None),
            }
        }
        "nohup" | "setsid" | "command" | "builtin" | "busybox" | "toybox" | "unbuffer"
        | "torsocks" | "valgrind" | "rlwrap" | "fakeroot" | "catchsegv" | "setarch" | "linux32"
        | "linux64" | "noglob" | "nocorrect" | "coproc" | "!" | "-" => plain(&PLAIN),
        "proxychains" | "proxychains4" => plain(&with("f", 0)),
        "pkexec" => plain(&Options { short: "", long: &["user"], operands: 0 }),
        "sshpass" => plain(&with("pfdP", 0)),
        "runcon" => plain(&with("turl", 0)),
        "numactl" => plain(&with("NmCpil", 0)),
        "perf" => plain(&Options { short: "eop", long: &["event", "output"], operands: 1 }),
        "setpriv" => plain(&Options {
            short: "",
            long: &[
                "reuid",
                "regid",
                "groups",
                "inh-caps",
                "bounding-set",
                "ambient-caps",
                "ruid",
                "euid",
            ],
            operands: 0,
        }),
        name if name.starts_with("ld-linux") || name.starts_with("ld.so") => plain(&PLAIN),
        // A line for a shell, or the words of a program.
        "capsh" | "sg" => match rest.iter().position(|word| word == "-c") {
            Some(at) => {
                rest.get(at + 1).map_or_else(Vec::new, |body| one(What::Line(body.clone()), None))
            }
            None => one(line(rest.get(1..).unwrap_or_default()), None),
        },
        "tmux" | "screen" => {
            let words = match rest.split_first() {
                Some((verb, words))
                    if matches!(
                        verb.as_str(),
                        "new" | "new-session" | "new-window" | "neww" | "split-window"
                    ) =>
                {
                    words
                }
                _ if name == "screen" => rest,
                _ => return Vec::new(),
            };
            one(line(Arguments::read(words, &with("cnsStxyeFThp", 0)).rest), None)
        }
        "start-stop-daemon" => {
            let value = |names: [&str; 2]| {
                let at = rest.iter().position(|word| names.contains(&word.as_str()));
                at.and_then(|at| rest.get(at + 1))
            };
            let Some(program) = value(["-x", "--exec"]).or_else(|| value(["-a", "--startas"]))
            else {
                return Vec::new();
            };
            let behind = rest.iter().position(|word| word == "--").map_or(rest.len(), |at| at + 1);
            one(What::Words([std::slice::from_ref(program), &rest[behind..]].concat()), None)
        }
        "ip" => match rest.iter().position(|word| word == "exec") {
            Some(at) => one(command(rest.get(at + 2..).unwrap_or_default()), None),
            None => Vec::new(),
        },
        "exec" => plain(&with("a", 0)),
        "nice" => plain(&Options { short: "n", long: &["adjustment"], operands: 0 }),
        "ionice" => plain(&with("cnpPu", 0)),
        "chrt" | "taskset" => plain(&with("", 1)),
        "stdbuf" => plain(&with("ioe", 0)),
        "time" => plain(&Options { short: "fo", long: &["format", "output"], operands: 0 }),
        "timeout" => plain(&Options { short: "ks", long: &["kill-after", "signal"], operands: 1 }),
        "chroot" => plain(&Options { short: "", long: &["userspec", "groups"], operands: 1 }),
        "strace" | "ltrace" => plain(&with("abeEIoOpPsSuUX", 0)),
        "unshare" => plain(&with("", 0)),
        "nsenter" => {
            plain(&Options { short: "tSG", long: &["target", "setuid", "setgid"], operands: 0 })
        }
        "prlimit" | "firejail" | "systemd-inhibit" => plain(&PLAIN),
        "systemd-run" => plain(&Options {
            short: "uptMHE",
            long: &[
                "unit",
                "uid",
                "gid",
                "property",
                "description",
                "slice",
                "setenv",
                "machine",
                "on-active",
                "on-boot",
                "on-calendar",
                "on-startup",
                "on-unit-active",
                "working-directory",
                "nice",
            ],
            operands: 0,
        }),
        "cgexec" => plain(&with("g", 0)),
        "xargs" | "parallel" => plain(&Options {
            short: "adEILnPsjJ",
            long: &["arg-file", "delimiter", "max-args", "max-procs", "replace", "jobs"],
            operands: 0,
        }),
        "watch" => {
            let options = Options { short: "nq", long: &["interval", "equexit"], operands: 0 };
            one(line(Arguments::read(rest, &options).rest), None)
        }
        "eval" => one(line(rest), None),
        "trap" => rest
            .iter()
            .find(|word| *word != "--")
            .map_or_else(Vec::new, |body| one(What::Line(body.clone()), None)),
        "flock" => {
            let arguments = Arguments::read(rest, &with("wcE", 1));
            match arguments.value(&["c", "command"]) {
                Some(body) => one(What::Line(body.to_owned()), None),
                None => match arguments.rest {
                    [_, flag, body, ..] if flag == "-c" => one(What::Line(body.clone()), None),
                    rest => one(command(rest.get(1..).unwrap_or_default()), None),
                },
            }
        }
        "script" => {
            let arguments = Arguments::read(rest, &with("cIOBEmoT", 0));
            match arguments.value(&["c", "command"]) {
                Some(body) => one(What::Line(body.to_owned()), None),
                // `script FILE -c line`
                None => match arguments.rest {
                    [_, flag, body, ..] if matches!(flag.as_str(), "-c" | "--command") => {
                        one(What::Line(body.clone()), None)
                    }
                    _ => Vec::new(),
                },
            }
        }
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "mksh" | "rbash" | "fish" => {
            let options = Options { short: "oO", long: &["rcfile", "init-file"], operands: 0 };
            let arguments = Arguments::read(rest, &options);
            match arguments.rest.first() {
                Some(body) if arguments.has(&["c", "command"]) => {
                    one(What::Line(body.clone()), None)
                }
                // Its own commands come from what it reads.
                None => {
                    input.map_or_else(Vec::new, |input| one(What::Line(input.to_owned()), None))
                }
                Some(_) if arguments.has(&["s"]) => {
                    input.map_or_else(Vec::new, |input| one(What::Line(input.to_owned()), None))
                }
                Some(_) => Vec::new(),
            }
        }
        "su" | "runuser" => {
            // Its options may stand behind the name as well.
            let mut user = None;
            let mut body = None;
            let mut at = 0;
            while let Some(word) = rest.get(at) {
                match word.as_str() {
                    "-c" | "--command" | "--session-command" => {
                        at += 1;
                        body = rest.get(at).map(|body| What::Line(body.clone()));
                    }
                    "-s" | "--shell" | "-g" | "--group" | "-G" | "-w" | "-T" | "-P" => at += 1,
                    "-u" | "--user" => {
                        at += 1;
                        user = rest.get(at).map(String::as_str);
                    }
                    "--" => {}
                    word if word.starts_with('-') => {
                        if let Some(value) = word.strip_prefix("--command=") {
                            body = Some(What::Line(value.to_owned()));
                        } else if word.len() > 2 && !word.starts_with("--") && word.ends_with('c') {
                            at += 1;
                            body = rest.get(at).map(|body| What::Line(body.clone()));
                        }
                    }
                    name if user.is_none() => user = Some(name),
                    // `runuser -u bob cmd args`
                    _ => {
                        body = body.or_else(|| Some(command(&rest[at..])));
                        break;
                    }
                }
                at += 1;
            }
            let body = body.or_else(|| input.map(|input| What::Line(input.to_owned())));
            body.map_or_else(Vec::new, |body| one(body, Some(user.unwrap_or("root"))))
        }
        "ssh" | "autossh" => {
            let arguments = Arguments::read(rest, &with("bcDeEFIiJLlmMOopQRSWwB", 0));
            let Some((host, body)) = arguments.rest.split_first() else { return Vec::new() };
            let user =
                host.rsplit_once('@').map(|(user, _)| user).or_else(|| arguments.value(&["l"]));
            // Options may follow the host.
            let body = Arguments::read(body, &with("bcDeEFIiJLlmMOopQRSWwB", 0)).rest;
            if body.is_empty() {
                return input
                    .map_or_else(Vec::new, |input| one(What::Line(input.to_owned()), user));
            }
            one(line(body), user)
        }
        "find" => {
            let mut out = Vec::new();
            let mut words = rest.iter();
            while let Some(word) = words.next() {
                if matches!(word.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir") {
                    let run = words.by_ref().take_while(|word| *word != ";" && *word != "+");
                    out.push(Inner { what: What::Words(run.cloned().collect()), user: None });
                }
            }
            out
        }
        "docker" | "docker-compose" | "podman" | "nerdctl" | "crictl" => {
            let Some(at) = rest.iter().position(|word| matches!(word.as_str(), "exec" | "run"))
            else {
                return Vec::new();
            };
            let arguments = Arguments::read(&rest[at + 1..], &DOCKER);
            let user = arguments.value(&["u", "user"]);
            let words = arguments.rest.get(1..).unwrap_or_default();
            match arguments.value(&["entrypoint"]) {
                Some(program) => one(What::Words([&[program.to_owned()], words].concat()), user),
                None => one(command(words), user),
            }
        }
        // `kubectl exec pod -- cmd`, `aws-vault exec profile -- cmd`
        "kubectl" | "oc" | "k3s" | "lxc" | "incus" | "aws-vault" | "chamber" | "doppler"
        | "vault" | "nix" => match rest.iter().position(|word| word == "--") {
            Some(at) => one(command(&rest[at + 1..]), None),
            // Older ones do without: the first operand is where, the rest is what.
            None => match rest.iter().position(|word| word == "exec") {
                Some(at) => {
                    let options = Options {
                        short: "ncs",
                        long: &["namespace", "container", "context"],
                        operands: 1,
                    };
                    let words = Arguments::read(&rest[at + 1..], &options).rest;
                    one(command(words.get(1..).unwrap_or_default()), None)
                }
                None => Vec::new(),
            },
        },
        _ => Vec::new(),
    }
}

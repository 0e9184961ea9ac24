use super::*;

fn posix(line: &str) -> Vec<Program> {
    Splitter::new().programs(line, ShellFamily::Posix)
}

fn lines(line: &str) -> Vec<String> {
    posix(line).into_iter().map(|program| program.command_line).collect()
}

#[test]
fn lines_are_taken_apart() {
    let cases: &[(&str, &[&str])] = &[
        ("ls -la", &["ls -la"]),
        ("sudo -u postgres psql", &["sudo -u postgres psql", "psql"]),
        ("sudo -iu bob zsh", &["sudo -iu bob zsh", "zsh"]),
        ("FOO=1 env A=b /opt/x --y", &["env A=b /opt/x --y", "/opt/x --y"]),
        ("cat f | grep 'a|b' > out && rm f", &["cat f", "grep a|b", "rm f"]),
        ("echo \"sudo rm\" # sudo", &["echo sudo rm"]),
        ("for i in 1 2; do curl x; done", &["curl x"]),
        ("x 2>/dev/null", &["x"]),
        ("", &[]),
        ("# a remark", &[]),
        ("A=1", &[]),
        (
            "bash -lc 'id; cat \"/etc/x y\"'",
            &["bash -lc id; cat \"/etc/x y\"", "id", "cat /etc/x y"],
        ),
        (
            "ssh -p 22 bob@db 'sudo rm -rf /srv'",
            &["ssh -p 22 bob@db sudo rm -rf /srv", "sudo rm -rf /srv", "rm -rf /srv"],
        ),
        (
            "find / -name x -exec chmod 777 {} \\; -exec rm {} +",
            &["find / -name x -exec chmod 777 {} ; -exec rm {} +", "chmod 777 {}", "rm {}"],
        ),
        (
            "ls | xargs -n1 -I{} sudo rm {}",
            &["ls", "xargs -n1 -I{} sudo rm {}", "sudo rm {}", "rm {}"],
        ),
        ("echo $(whoami) `id` <(ls a)", &["echo $(whoami) `id` <(ls a)", "whoami", "id", "ls a"]),
        ("bash <<'EOF'\nid\nuname -a\nEOF", &["bash", "id", "uname -a"]),
        ("cat <<EOF\nsudo rm\nEOF", &["cat"]),
        ("bash <<< 'id -a'", &["bash", "id -a"]),
        ("\\rm x; 'c'at y; $'\\x69d'", &["rm x", "cat y", "id"]),
        ("cat${IFS}/etc/shadow", &["cat /etc/shadow"]),
        ("su - bob -c 'ls /x'", &["su - bob -c ls /x", "ls /x"]),
        (
            "docker exec -it -u root web sh -c 'id'",
            &["docker exec -it -u root web sh -c id", "sh -c id", "id"],
        ),
        ("kubectl exec -n a pod -- rm /x", &["kubectl exec -n a pod -- rm /x", "rm /x"]),
        (
            "timeout 5 nice -n 3 nohup x &",
            &["timeout 5 nice -n 3 nohup x", "nice -n 3 nohup x", "nohup x", "x"],
        ),
        ("unset HISTFILE; export A=b", &["unset HISTFILE", "export A=b"]),
        (
            "if grep -q x y; then a; elif b; then c; else d; fi",
            &["grep -q x y", "a", "b", "c", "d"],
        ),
        (
            "while read l; do echo $l; done < <(cut -d: -f1 /etc/passwd)",
            &["read l", "echo $l", "cut -d: -f1 /etc/passwd"],
        ),
        ("f() { curl x; }; f", &["curl x", "f"]),
        ("time ls", &["time ls", "ls"]),
        ("! true && (cd /x && ls)", &["true", "cd /x", "ls"]),
        ("case x in a) one;; *) two;; esac", &["one", "two"]),
        (
            "sudo bash +x --rcfile /x -c id",
            &["sudo bash +x --rcfile /x -c id", "bash +x --rcfile /x -c id", "id"],
        ),
        ("sshpass -p x ssh h id", &["sshpass -p x ssh h id", "ssh h id", "id"]),
        ("pkexec --user bob id", &["pkexec --user bob id", "id"]),
        ("watch --interval 1 id", &["watch --interval 1 id", "id"]),
        ("trap -- id EXIT", &["trap -- id EXIT", "id"]),
        ("docker run --entrypoint id img -u", &["docker run --entrypoint id img -u", "id -u"]),
        ("kubectl exec pod id", &["kubectl exec pod id", "id"]),
        ("ip netns exec n id", &["ip netns exec n id", "id"]),
        ("tmux new -d 'id; ls'", &["tmux new -d id; ls", "id", "ls"]),
        ("start-stop-daemon -S -x /x/y -- -z", &["start-stop-daemon -S -x /x/y -- -z", "/x/y -z"]),
        // No shell would take it, and it is there all the same.
        ("{cat,/etc/passwd}", &["{cat,/etc/passwd}"]),
        ("fi done esac", &["fi done esac"]),
    ];
    for (line, expected) in cases {
        assert_eq!(lines(line), *expected, "{line}");
    }
}

#[test]
fn the_user_and_the_parent_are_those_of_the_wrapper() {
    let found = posix("sudo -u postgres psql -c 'select 1'");
    assert_eq!(found[0].user, None);
    assert_eq!(found[0].parent_image, "/usr/bin/bash");
    assert_eq!(found[1].user.as_deref(), Some("postgres"));
    assert_eq!(found[1].parent_image, "/usr/bin/sudo");
    assert_eq!(found[1].command_line, "psql -c select 1");
    let found = posix("sudo bash -c 'su bob -c id; whoami'");
    let users: Vec<_> =
        found.iter().map(|p| (p.command_line.as_str(), p.user.as_deref())).collect();
    assert_eq!(
        users,
        [
            ("sudo bash -c su bob -c id; whoami", None),
            ("bash -c su bob -c id; whoami", Some("root")),
            ("su bob -c id", Some("root")),
            ("id", Some("bob")),
            ("whoami", Some("root")),
        ]
    );
}

#[test]
fn powershell_is_taken_apart() {
    let images = |line: &str| -> Vec<(String, String)> {
        let programs = Splitter::new().programs(line, ShellFamily::PowerShell);
        let name = |image: &str| image.rsplit('\\').next().unwrap_or_default().to_owned();
        programs.into_iter().map(|p| (name(&p.image), p.command_line)).collect()
    };
    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "whoami /all; net user bob 'P@ss w' /add",
            &[("whoami.exe", "whoami /all"), ("net.exe", "net user bob P@ss w /add")],
        ),
        (
            "Get-Process | Where-Object {$_.CPU -gt 10} | Stop-Process -Force",
            &[
                ("powershell.exe", "Get-Process"),
                ("powershell.exe", "Where-Object {$_.CPU -gt 10}"),
                ("powershell.exe", "Stop-Process -Force"),
            ],
        ),
        ("& \"C:\\Program Files\\x.exe\" -a", &[("x.exe", "C:\\Program Files\\x.exe -a")]),
        (
            "cmd /c \"dir & del x\"",
            &[
                ("cmd.exe", "cmd /c dir & del x"),
                ("powershell.exe", "dir"),
                ("powershell.exe", "del x"),
            ],
        ),
        (
            "powershell -nop -enc dwBoAG8AYQBtAGkA",
            &[
                ("powershell.exe", "powershell -nop -enc dwBoAG8AYQBtAGkA"),
                ("whoami.exe", "whoami"),
            ],
        ),
        (
            "Start-Process cmd -ArgumentList '/c whoami' -Verb RunAs",
            &[
                ("powershell.exe", "Start-Process cmd -ArgumentList /c whoami -Verb RunAs"),
                ("cmd.exe", "cmd /c whoami"),
                ("whoami.exe", "whoami"),
            ],
        ),
        ("\"a$(hostname)b\"", &[("hostname.exe", "hostname")]),
    ];
    for (line, expected) in cases {
        let found = images(line);
        let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, *expected, "{line}");
    }
}

#[test]
fn a_hostile_line_ends() {
    let shapes = [
        "sudo ",
        "a;",
        "$(",
        "((",
        "{ ",
        "`a ",
        "'",
        "<<E ",
        "if ",
        "a|",
        "a |",
        "\\",
        "bash -c '",
    ];
    for shape in shapes {
        let line = shape.repeat(16_000 / shape.len());
        for family in [ShellFamily::Posix, ShellFamily::PowerShell] {
            let found = Splitter::new().programs(&line, family);
            assert!(found.len() <= MAX_PROGRAMS + 1, "{shape}");
        }
    }
    let long = "x ".repeat(20_000);
    assert_eq!(posix(&long).len(), 1);
    // What there was too much of is in the last one.
    let many = posix(&format!("{}rm x", "a;".repeat(100)));
    assert!(many.last().is_some_and(|program| program.command_line.ends_with("rm x")));
}

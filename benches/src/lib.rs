//! What the benchmarks share: the made-up CloudTrail traffic, and many rules made of a few.

pub mod mutate;
pub mod traffic;

/// What administrators type, over and over.
pub const LINES: [(&str, &str); 16] = [
    ("/usr/bin/ls", "ls -la /var/www"),
    ("/usr/bin/cat", "cat /etc/nginx/nginx.conf"),
    ("/usr/bin/systemctl", "systemctl status nginx --no-pager"),
    ("/usr/bin/journalctl", "journalctl -u app -n 200"),
    ("/usr/bin/tail", "tail -f /var/log/app/app.log"),
    ("/usr/bin/grep", "grep -rn ERROR /var/log/app"),
    ("/usr/bin/df", "df -h"),
    ("/usr/bin/free", "free -m"),
    ("/usr/bin/ps", "ps aux --sort=-%mem"),
    ("/usr/bin/docker", "docker ps --format '{{.Names}}'"),
    ("/usr/bin/curl", "curl -s http://localhost:8080/health"),
    ("/usr/bin/vim", "vim /etc/app/config.yml"),
    ("/usr/bin/sudo", "sudo systemctl restart app"),
    ("/usr/bin/git", "git -C /srv/app log --oneline -5"),
    ("/usr/bin/ss", "ss -tlnp"),
    ("/usr/bin/du", "du -sh /var/lib/docker"),
];

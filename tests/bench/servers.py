"""The programs that are measured, each a real process pinned to the servers' core.

A server has `name`, `port`, `pid`, `flags` (for `load`) and knows how to `start`, `prepare` (tables) and `stop`.
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from peers.dynamodb_local import DynamoDbLocal as DynamoDbLocalPeer  # noqa: E402
from peers.maven import cache_folder  # noqa: E402
from peers.process import Process, accepts, free_port, wait_until  # noqa: E402

TABLE = "bench"
NPM_PACKAGES = ["dynalite@4.0.0", "@dynoxide/linux-x64@1.2.1"]


class Skipped(Exception):
    """A peer cannot be had here; the text says why."""


def cores():
    """One core for the servers and one for the clients: they must not share."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise SystemExit("run.sh: two cores are needed, one for the server and one for the client")
    return available[0], available[1]


SERVER_CORE, CLIENT_CORE = cores()


def pinned(command):
    return ["taskset", "-c", str(SERVER_CORE), *command]


def call(port, operation, body, target="DynamoDB_20120810"):
    """One request to a DynamoDB endpoint: status and decoded answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/", json.dumps(body), {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"{target}.{operation}",
            "X-Amz-Date": "20261122T120000Z",
            "Authorization": "AWS4-HMAC-SHA256 "
                             "Credential=AKIDEXAMPLE/20261122/us-east-1/dynamodb/aws4_request, "
                             "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + "0" * 64,
        })
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


def create_table(port, stream=False, table=TABLE, keys=("id",)):
    """A table with string keys: the hash key and, if two are named, the range key."""
    body = {
        "TableName": table,
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "KeySchema": [{"AttributeName": key, "KeyType": kind}
                      for key, kind in zip(keys, ("HASH", "RANGE"))],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if stream:
        body["StreamSpecification"] = {
            "StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    status, answer = call(port, "CreateTable", body)
    if status != 200:
        raise SystemExit(f"CreateTable: {status} {answer}")
    wait_until(lambda: call(port, "DescribeTable", {"TableName": table})[1]
               .get("Table", {}).get("TableStatus") == "ACTIVE", 30, "the table is active")


class Server:
    """A process of one command. `flags` are for `load`, besides --port and --pid."""

    flags = []

    def __init__(self, name, folder):
        self.name = name
        self.folder = pathlib.Path(folder) / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.process = Process(name, self.folder / "log")

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        self.launch()
        wait_until(lambda: accepts(self.port), 60, f"{self.name} accepts", self.process)
        self.prepare()
        return self

    def launch(self):
        self.process.start(pinned(self.command()), cwd=self.folder)

    def prepare(self):
        pass

    def stop(self):
        self.process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Millrace(Server):
    """The sidecar; `settings` is its configuration, as a dictionary. `cache_bytes`: of each of its caches."""

    def __init__(self, name, folder, cache_bytes="512MB", settings=None, table=True, stream=False):
        super().__init__(name, folder)
        self.cache_bytes = cache_bytes
        self.settings = {"cache": {"query_bytes": cache_bytes}, **(settings or {})}
        self.table = table
        self.stream = stream
        self.admin_port = free_port()

    def command(self):
        binary = os.environ.get("MILLRACE_BINARY") or ROOT / "build/release/millrace"
        command = [
            binary, "--data", self.folder / "data", "--listen", f"127.0.0.1:{self.port}",
            "--admin", f"127.0.0.1:{self.admin_port}", "--cache-bytes", self.cache_bytes,
            "--threads", "1", "--config", self.folder / "millrace.yaml",
        ]
        (self.folder / "millrace.yaml").write_text(json.dumps(self.settings) + "\n")  # JSON is YAML
        return command

    def prepare(self):
        if self.table:
            create_table(self.port, self.stream)

    def admin(self, path):
        """Status and text of a page of the administrative port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ready(self):
        try:
            return self.admin("/readyz")[0] == 200
        except OSError:
            return False

    def metric(self, name, **labels):
        """The value of a metric, the largest where several match; None if there is none."""
        text = self.admin("/metrics")[1]
        found = []
        for line in text.splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)(?: \d+)?", line)
            if match and match[1] == name:
                given = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
                if all(given.get(key) == value for key, value in labels.items()):
                    found.append(float(match[3]))
        return max(found, default=None)


class Redis(Server):
    flags = ["--resp"]

    def __init__(self, name, folder, durable):
        super().__init__(name, folder)
        self.durable = durable

    def command(self):
        durability = ["--appendonly", "yes", "--appendfsync", "always"] if self.durable else \
            ["--appendonly", "no"]
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--dir", self.folder, *durability]


class Nginx(Server):
    """A static file of an item's size, served as quickly as nginx can."""

    CONFIG = """\
daemon off;
master_process off;
worker_processes 1;
error_log stderr crit;
pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  open_file_cache max=100 inactive=1h;
  open_file_cache_valid 1h;
  client_body_temp_path {folder}/t1;
  proxy_temp_path {folder}/t2;
  fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4;
  scgi_temp_path {folder}/t5;
  types {{ application/json json; }}
  server {{
    listen 127.0.0.1:{port};
    root {folder}/www;
  }}
}}
"""

    def command(self):
        (self.folder / "www").mkdir()
        (self.folder / "www/item.json").write_text('{"Item":"' + "x" * 1280 + '"}\n')
        # Workers may run as another user than the one that made the folders.
        for folder in (self.folder, self.folder / "www"):
            folder.chmod(0o755)
        config = self.folder / "nginx.conf"
        config.write_text(self.CONFIG.format(folder=self.folder, port=self.port))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        return [program, "-c", config, "-p", self.folder]


def npm_folder():
    """The folder with the npm peers, fetched once per machine."""
    folder = cache_folder() / "bench-npm"
    if not (folder / "complete").exists():
        if shutil.which("npm") is None:
            raise Skipped("npm is not installed (apt install nodejs npm)")
        folder.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run(
            ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", *NPM_PACKAGES],
            capture_output=True, text=True)
        if fetched.returncode != 0:
            raise Skipped(f"npm install failed: {fetched.stderr[-500:]}")
        (folder / "complete").touch()
    return folder / "node_modules"


class Dynalite(Server):
    def command(self):
        return ["node", npm_folder() / "dynalite/cli.js", "--host", "127.0.0.1", "--port",
                str(self.port), "--createTableMs", "0", "--path", self.folder / "data"]

    def prepare(self):
        create_table(self.port)


class Dynoxide(Server):
    def command(self):
        return [npm_folder() / "@dynoxide/linux-x64/dynoxide", "serve", "--host", "127.0.0.1",
                "-p", str(self.port), "--db-path", self.folder / "data.sqlite"]

    def prepare(self):
        create_table(self.port)


class DynamoDbLocal:
    flags = []

    def __init__(self, name, folder):
        self.name = name
        if shutil.which("java") is None or shutil.which("mvn") is None:
            raise Skipped("java and mvn are not installed (apt install openjdk-17-jre-headless maven)")
        self.peer = DynamoDbLocalPeer(pathlib.Path(folder) / name)
        self.port = self.peer.port

    @property
    def pid(self):
        return self.peer._process.pid

    def start(self):
        self.peer.start()
        subprocess.run(["taskset", "-a", "-c", "-p", str(SERVER_CORE), str(self.pid)], check=True,
                       capture_output=True)
        create_table(self.port)
        return self

    def stop(self):
        self.peer.stop()


PEERS = {
    "redis": lambda folder: Redis("redis", folder, durable=False),
    "redis_aof_always": lambda folder: Redis("redis_aof_always", folder, durable=True),
    "nginx_static": lambda folder: Nginx("nginx_static", folder),
    "dynalite": lambda folder: Dynalite("dynalite", folder),
    "dynoxide": lambda folder: Dynoxide("dynoxide", folder),
    "dynamodb_local": lambda folder: DynamoDbLocal("dynamodb_local", folder),
}


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)[1]) / 1024


def monotonic_ms():
    return time.monotonic() * 1e3

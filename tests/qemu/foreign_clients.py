#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs clients that others wrote for QEMU, unchanged, against a real QEMU and `vitals demo`, and
prints whether they get the same.

Each is fetched into a temporary directory: qemu-qmp and node-qemu by npm; qmp-shell and the Python
package qemu.qmp from Debian's source package of QEMU by apt-get, which asks a deb-src source of its
own. One that can't be fetched is left out, with the reason."""

import argparse
import ast
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from compare import EXACT, compare  # noqa: E402
from peers import Qemu, flat_demo  # noqa: E402

TIMEOUT = 60
DOWNLOAD_TIMEOUT = 600
NPM_PACKAGES = ["qemu-qmp@0.5.0", "node-qemu@1.3.0"]
DEBIAN_SOURCES = """deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
http://deb.debian.org/debian bookworm main
"""

FILTER = {
    "target": "vcpu",
    "vcpus": ["/machine/unattached/device[2]"],
    "providers": [{"provider": "kvm", "names": ["exits", "guest_mode", "halt_wait_hist"]}],
}
REQUESTS = [
    ["query-version", {}],
    ["query-name", {}],
    ["query-status", {}],
    ["query-kvm", {}],
    ["query-stats-schemas", {}],
    ["query-stats", {"target": "vm"}],
    ["query-stats", {"target": "vcpu"}],
    ["query-stats", FILTER],
    ["query-stats", {"target": "nosuch"}],
]

# Each prints one line of JSON for each request: {"return": ...} or {"error": the text}.
QEMU_QMP_JS = """
const QMP = require('qemu-qmp');
const [path, requests] = [process.argv[2], JSON.parse(process.argv[3])];
const qmp = new QMP();
function next(error) {
    if (error) throw error;
    if (!requests.length) return qmp.end();
    const [command, args] = requests.shift();
    qmp.execute(command, args, (error, value) => {
        console.log(JSON.stringify(error ? {error: error.desc || error.message} : {return: value}));
        next();
    });
}
qmp.connect(path, next);
"""
NODE_QEMU_JS = """
const {QMPClient} = require('node-qemu');
const [path, requests] = [process.argv[2], JSON.parse(process.argv[3])];
(async () => {
    const client = new QMPClient({socketPath: path, reconnect: false});
    await client.connect();
    for (const [command, args] of requests) {
        try {
            console.log(JSON.stringify({return: await client.execute(command, args)}));
        } catch (error) {
            console.log(JSON.stringify({error: error.desc || error.message}));
        }
    }
    await client.close();
    process.exit(0);
})();
"""
PYTHON_QEMU_QMP = """
import asyncio, json, sys
from qemu.qmp import QMPClient
from qemu.qmp.qmp_client import ExecuteError

async def main():
    client = QMPClient('foreign')
    await client.connect(sys.argv[1])
    for command, arguments in json.loads(sys.argv[2]):
        try:
            print(json.dumps({'return': await client.execute(command, arguments)}))
        except ExecuteError as error:
            print(json.dumps({'error': str(error)}))
    await client.disconnect()

asyncio.run(main())
"""


class NotFetched(Exception):
    """A client can't be had here."""


def fetch(command, **options):
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT,
            check=False,
            **options,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotFetched(str(error)) from error
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise NotFetched(f"{command[0]}: {lines[-1] if lines else result.returncode}")


@dataclasses.dataclass
class Client:
    """How to run it: the command, to which the socket and the requests are appended."""

    name: str
    command: list
    environment: dict = dataclasses.field(default_factory=dict)
    reads_stdin: bool = False  # requests are typed

    def replies(self, path):
        """Its replies, as lines that compare() can read."""
        command = [*self.command, path]
        typed = "\n".join(map(typed_request, REQUESTS)) + "\n" if self.reads_stdin else None
        if not self.reads_stdin:
            command.append(json.dumps(REQUESTS))
        result = subprocess.run(
            command,
            input=typed,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            env={**os.environ, **self.environment},
        )
        lines = [normal_line(line) for line in result.stdout.splitlines()]
        lines = [line for line in lines if line]
        if len(lines) != len(REQUESTS):
            raise RuntimeError(f"{len(lines)} replies; {result.stderr.strip()[-300:]}")
        return lines


def typed_value(value):
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def typed_request(request):
    """As one types it into qmp-shell."""
    command, arguments = request
    return " ".join([command, *(f"{name}={typed_value(v)}" for name, v in arguments.items())])


def normal_line(line):
    """A reply by this client, or None. Errors have the form of the wire again."""
    start = line.find("{")
    if start < 0:
        return None
    try:
        reply = json.loads(line[start:])
    except ValueError:
        reply = ast.literal_eval(line[start:])  # qmp-shell prints Python's own form
    if isinstance(reply.get("error"), str):
        reply["error"] = {"class": "GenericError", "desc": reply["error"]}
    return json.dumps(reply)


# ---- fetching -----------------------------------------------------------------------------------


def npm_clients(directory):
    fetch(["npm", "install", "--prefix", directory, *NPM_PACKAGES])
    clients = []
    for name, text in (("qemu-qmp", QEMU_QMP_JS), ("node-qemu", NODE_QEMU_JS)):
        script = pathlib.Path(directory, f"{name}.cjs")
        script.write_text(text, encoding="utf-8")
        clients.append(Client(f"npm {name}", ["node", str(script)]))
    return clients


def apt_options(directory):
    """Lists of its own, so that the machine's sources stay as they are."""
    lists = pathlib.Path(directory, "lists")
    pathlib.Path(lists, "partial").mkdir(parents=True)
    sources = pathlib.Path(directory, "sources.list")
    sources.write_text(DEBIAN_SOURCES, encoding="utf-8")
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::Lists": lists,
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def debian_clients(directory):
    options = apt_options(directory)
    fetch(["apt-get", *options, "update"])
    fetch(["apt-get", *options, "source", "--download-only", "qemu"], cwd=directory)
    (tarball,) = pathlib.Path(directory).glob("qemu_*.orig.tar.*")
    fetch(["tar", "-C", directory, "-xf", tarball, "--wildcards", "*/python/*", "*/scripts/qmp/*"])
    (tree,) = (path for path in pathlib.Path(directory).glob("qemu-*") if path.is_dir())
    script = pathlib.Path(directory, "qemu_qmp.py")
    script.write_text(PYTHON_QEMU_QMP, encoding="utf-8")
    environment = {"PYTHONPATH": str(tree / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    python = "/usr/bin/python3"
    shell = str(tree / "scripts" / "qmp" / "qmp-shell")
    return [
        Client("python qemu.qmp", [python, str(script)], environment),
        Client("qmp-shell", [python, shell], environment, reads_stdin=True),
    ]


# ---- the table ----------------------------------------------------------------------------------


def try_client(client, qemu, demo):
    """(agrees, a line of the table)."""
    try:
        theirs, ours = client.replies(qemu.path), client.replies(demo.path)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return False, f"{client.name:18} failed: {error}"
    verdict = compare(theirs, ours)
    if verdict.agreement != EXACT:
        return False, f"{client.name:18} {verdict.agreement}: {verdict.reason}"
    return True, f"{client.name:18} the same {len(ours)} replies from both"


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    directory = tempfile.mkdtemp(prefix="vitals-foreign-")
    qemu, demo = Qemu(directory), flat_demo(directory)
    agree = []
    try:
        for source in (npm_clients, debian_clients):
            place = tempfile.mkdtemp(dir=directory)
            try:
                clients = source(place)
            except NotFetched as reason:
                print(f"{source.__name__.removesuffix('_clients'):18} not fetched: {reason}")
                continue
            for client in clients:
                good, line = try_client(client, qemu, demo)
                agree.append(good)
                print(line)
    finally:
        demo.stop()
        qemu.stop()
        shutil.rmtree(directory)
    return 0 if agree and all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())

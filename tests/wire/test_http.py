# SPDX-License-Identifier: MIT
"""HTTP by itself, with documents that need no VM: who is let in, what is shared, what has a limit."""

import base64
import concurrent.futures
import contextlib
import gzip
import http.client
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from support.programs import ROOT, SANITIZED, Program, wait_until
from support.web import bcrypt

HTTP_SERVER = os.environ.get("VITALS_HTTP_SERVER")
if not HTTP_SERVER:
    pytest.skip("the daemon was not built", allow_module_level=True)

LIMITS = (ROOT / "src/http/http.h").read_text("utf-8") + (ROOT / "src/http/login.h").read_text("utf-8")
OPENMETRICS = "application/openmetrics-text"
PATIENCE = 120  # seconds, on a machine that does much else


def limit(name):
    return eval(re.search(rf"{name} = ([0-9 *]+)", LIMITS)[1])  # pylint: disable=eval-used


class Server(Program):
    """The test's server, which answers when the constructor returns, unless it has refused."""

    def __init__(self, directory, *addresses, web_config=""):
        self.addresses = []
        super().__init__([HTTP_SERVER, web_config, *addresses], directory)
        first = self.read_line()
        if first:
            self.addresses = [first, *(self.process.stdout.readline().strip() for _ in addresses[1:])]

    def ask_to_end(self):
        self.process.stdin.close()

    def hold(self, client):
        """Its turn has begun then: what is asked for afterwards is made in a later one."""
        send_raw(client, "/held")
        assert self.process.stdout.readline() == "held\n"

    def release(self):
        """Has one /held made."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    @property
    def port(self):
        return int(self.addresses[0].rsplit(":", 1)[1].rstrip("/"))

    def connect(self, **words):
        if self.addresses[0].startswith("https"):
            context = ssl._create_unverified_context()  # pylint: disable=protected-access
            return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=PATIENCE, **words)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, **words)

    def get(self, path, method="GET", body=None, **headers):
        """(status, headers, body) by a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, path, method, body, **headers)

    def status(self, path, **words):
        return self.get(path, **words)[0]


def ask(connection, path, method="GET", body=None, **headers):
    connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
    reply = connection.getresponse()
    return reply.status, reply.headers, reply.read()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def start(programs):
    def start(*addresses, web_config=None):
        path = programs.write("web.yml", web_config.encode()) if web_config is not None else ""
        server = programs.keep(Server(programs.directory, *(addresses or ["127.0.0.1:0"]), web_config=path))
        return server

    return start


@pytest.fixture
def server(start):
    return start()


@pytest.fixture
def guarded(start):
    """With users, whose passwords cost as little as can be."""
    return start(web_config=f"basic_auth_users:\n  alice: {bcrypt('secret')}\n")


# ---- replies ------------------------------------------------------------------------------------


def test_a_page_and_a_document(server):
    status, headers, body = server.get("/page")
    assert (status, headers["Content-Type"], body) == (200, "text/html", b"page\n")
    status, headers, body = server.get("/turn")
    assert (status, headers["Content-Type"], body) == (200, "text/plain", b"1\n")
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert "Accept-Encoding" in headers["Vary"]
    assert server.get("/turn", method="HEAD")[::2] == (200, b"")


def test_what_is_not_there(server):
    assert server.status("/nothing") == 404
    assert server.status("/missing") == 404
    assert server.status("/turn") == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(server, method):
    status, headers, _ = server.get("/turn", method=method, body=b"x" if method != "TRACE" else None)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_a_request_has_no_body(server):
    assert server.status("/turn", body=b"x") == 413
    assert server.status("/turn", Transfer_Encoding="chunked") == 413


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_what_cannot_be_made(server, encoding):
    status, headers, body = server.get("/failing", Accept_Encoding=encoding)
    assert (status, headers["Retry-After"], headers["Content-Encoding"]) == (503, "1", None)
    assert body == b"It can't be made now.\n"
    assert server.status("/turn", Accept_Encoding=encoding) == 200


def test_formats_and_encodings(server):
    assert server.get("/turn", Accept=OPENMETRICS)[1]["Content-Type"] == "openmetrics"
    status, headers, body = server.get("/turn", Accept_Encoding="gzip")
    assert (status, headers["Content-Encoding"], gzip.decompress(body)) == (200, "gzip", b"2\n")


def test_much_is_whole(server):
    body = server.get("/big?mib=20")[2]
    assert len(body) == 20 << 20
    assert len(gzip.decompress(server.get("/big?mib=3", Accept_Encoding="gzip")[2])) == 3 << 20


def test_a_connection_serves_many_requests(server):
    connection = server.connect()
    bodies = [ask(connection, "/turn")[2] for _ in range(5)]
    assert bodies == [b"1\n", b"2\n", b"3\n", b"4\n", b"5\n"]


def test_a_unix_socket(start, programs):
    path = programs.path("metrics.sock")
    server = start(f"unix:{path}")
    assert server.addresses == [path] and os.stat(path).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"GET /turn HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n")
        reply = b"".join(iter(lambda: client.recv(4096), b""))
    assert reply.startswith(b"HTTP/1.1 200 ") and reply.endswith(b"\r\n\r\n1\n")
    server.stop()
    assert not os.path.exists(path)


def test_several_addresses(start, programs):
    server = start("127.0.0.1:0", "[::1]:0", f"unix:{programs.path('s.sock')}")
    assert [address.split("/")[2][:3] for address in server.addresses[:2]] == ["127", "[::"]


# ---- what is shared -----------------------------------------------------------------------------


def test_those_who_wait_share_a_turn(server):
    """While the first one is made, others come: the next turn is for all of them, whatever they ask for."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        first = pool.submit(server.get, "/slow")
        wait_until(lambda: not first.done(), "the first one waits")
        time.sleep(0.03)  # in which it begins; otherwise fewer turns are made
        others = [pool.submit(server.get, path) for path in ("/turn", "/same") * 10]
        turns = {int(other.result()[2]) for other in others}
    assert int(first.result()[2]) == 1 and turns <= {1, 2}


# ---- who is let in ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "localhost:9090", "127.0.0.1", "127.1.2.3:80", "[::1]:1", "LOCALHOST"])
def test_a_local_name(server, host):
    assert server.status("/turn", Host=host) == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example",
                                  "10.0.0.1", "[::2]", "[::1", "[::1]x", "127.0.0.1:80x", "127.0.0.1@evil", ""])  # fmt: skip
def test_the_name_of_another_site(server, host):
    """A page whose name was made to lead here is not let in, whatever it asks for."""
    for path in "/turn", "/page":
        assert server.status(path, Host=host) == 403


def test_no_name_at_all(server):
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /turn HTTP/1.0\r\n\r\n")
        assert b" 40" in client.recv(4096).splitlines()[0]


@pytest.mark.parametrize("login", [None, "Basic", "Basic !", "Bearer x", basic("alice", "wrong"), basic("bob", "secret"),
                                   basic("", "secret"), basic("alice", ""), basic("alice", "secret") + "x"])  # fmt: skip
def test_without_the_right_login(guarded, login):
    status, headers, body = guarded.get("/page", **({"Authorization": login} if login else {}))
    assert status == 401 and headers["WWW-Authenticate"].startswith("Basic ") and b"page" not in body


def test_a_login(guarded):
    for path in "/page", "/turn", "/turn":
        assert guarded.status(path, Authorization=basic("alice", "secret")) == 200


def test_a_name_of_another_site_comes_before_the_login(guarded):
    assert guarded.status("/page", Host="evil.example", Authorization=basic("alice", "secret")) == 403


def test_one_who_is_known_does_not_wait_for_the_logins_of_others(start):
    """1000 wrong passwords, of which each that is looked at takes a twentieth of a second and more."""
    server = start(web_config=f"basic_auth_users:\n  alice: {bcrypt('secret', 10)}\n")
    right = {"Authorization": basic("alice", "secret")}
    assert server.status("/page", **right) == 200
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        wrong = [pool.submit(server.status, "/page", Authorization=basic("alice", f"wrong{i}")) for i in range(1000)]
        known = [server.status("/turn", **right) for _ in range(20)]
        pending = sum(not each.done() for each in wrong)
        statuses = [each.result() for each in wrong]
    assert set(known) == {200} and set(statuses) == {401, 429}
    assert pending or statuses.count(429)
    assert statuses.count(401) >= 1


def test_who_is_not_let_in_keeps_no_place(guarded):
    with contextlib.closing(guarded.connect()) as connection:
        for login in "wrong", "secret":
            status, headers, _ = ask(connection, "/page", Authorization=basic("alice", login))
            assert (status, headers["Connection"] == "close") == ((401, True) if login == "wrong" else (200, False))


def test_who_is_known_keeps_its_place(guarded):
    """Though it is silent for longest, and others of its address come in greater number than there is room for."""
    known = guarded.connect()
    right = {"Authorization": basic("alice", "secret")}
    assert ask(known, "/page", **right)[0] == 200
    waits = guarded.connect()
    waits.request("GET", "/held", headers=right)
    assert guarded.process.stdout.readline() == "held\n"
    silent = [connect_from(guarded) for _ in range(2 * limit("HTTP_CONNECTIONS_MAX"))]
    assert ask_raw(silent[-1]) == b"401"
    silent[0].settimeout(PATIENCE)
    assert silent[0].recv(1) == b""
    guarded.release()
    assert waits.getresponse().status == 200
    sent = known.sock
    assert ask(known, "/page", **right)[0] == 200 and known.sock is sent, "the same connection"
    for client in [known, waits, *silent]:
        client.close()


def ask_for_login(client, i):
    client.sendall(f"GET /page HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic('alice', f'wrong-{i}')}\r\n\r\n".encode())


def waits_of(server):
    """How often its threads have waited for something."""
    texts = [path.read_text("ascii") for path in pathlib.Path(f"/proc/{server.pid}/task").glob("*/status")]
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.MULTILINE)[1]) for text in texts)


@pytest.mark.parametrize("path, login", [("/page", "wrong"), ("/big?mib=32", "secret")])
def test_what_takes_long_leaves_its_cpu_to_others(start, path, login):
    """A password, and a document that is compressed: each a hundred ms and more in one call of a library."""
    server = start(web_config=f"basic_auth_users:\n  alice: {bcrypt('secret')}\n  bob: {bcrypt('secret', 12)}\n")
    user = "bob" if login == "wrong" else "alice"
    server.get("/page", Authorization=basic(user, "secret"))
    before = waits_of(server)
    status, _, _ = server.get(path, Authorization=basic(user, login), Accept_Encoding="gzip")
    assert status == (401 if login == "wrong" else 200)
    assert waits_of(server) - before > 30 or SANITIZED  # TSan holds signals back until a call that it knows


def test_the_logins_of_one_address_leave_room_for_others(start):
    """The last one of an address that has more than its share is turned away for another one's."""
    server = start(web_config=f"basic_auth_users:\n  alice: {bcrypt('secret', 10)}\n")
    statuses, over = [], threading.Event()

    def flood(i):
        while not over.is_set():
            statuses.append(server.status("/page", Authorization=basic("alice", f"{i}-{time.monotonic_ns()}")))

    with concurrent.futures.ThreadPoolExecutor(2 * limit("LOGINS_WAITING_MAX")) as pool:
        flooding = [pool.submit(flood, i) for i in range(2 * limit("LOGINS_WAITING_MAX"))]
        try:
            wait_until(lambda: 429 in statuses, "all that may wait do")
            for i in range(5):
                with connect_from(server, "127.0.0.2") as other:
                    ask_for_login(other, i)
                    assert other.recv(4096).split()[1] == b"401", "it was looked at"
        finally:
            over.set()
        assert {each.result() for each in flooding} == {None}


def test_logins_that_wait_have_a_limit(start):
    server = start(web_config=f"basic_auth_users:\n  alice: {bcrypt('secret', 11)}\n")
    n = limit("LOGINS_WAITING_MAX")
    with concurrent.futures.ThreadPoolExecutor(n + 1) as pool:
        statuses = list(pool.map(lambda i: server.status("/page", Authorization=basic("alice", str(i))), range(n + 1)))
    assert statuses.count(401) >= n and set(statuses) <= {401, 429}


# ---- TLS ----------------------------------------------------------------------------------------


@pytest.fixture
def certificate(programs):
    if not os.path.exists("/usr/bin/openssl"):
        pytest.skip("openssl is not installed")
    key, cert = programs.path("server.key"), programs.path("server.crt")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return cert


def test_tls(start, certificate):
    """The paths of the files are beside the configuration."""
    config = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
    server = start(web_config=config + f"basic_auth_users:\n  alice: {bcrypt('secret')}\n")
    assert server.addresses[0].startswith("https://")
    assert server.status("/page") == 401
    assert server.status("/turn", Authorization=basic("alice", "secret")) == 200
    assert len(server.get("/big?mib=2", Authorization=basic("alice", "secret"))[2]) == 2 << 20
    assert certificate


def test_a_certificate_that_is_none(start, programs):
    programs.write("server.crt", b"no\n")
    programs.write("server.key", b"no\n")
    server = start(web_config="tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
    assert server.wait() == 1
    assert "certificate" in server.log()


# ---- what is refused at the start ---------------------------------------------------------------

ALICE = "basic_auth_users:\n  alice: "


@pytest.mark.parametrize(
    "config, expected",
    [
        ("rate_limit: 1\n",
         "web.yml:1: 'rate_limit' is not known in a web configuration, which has tls_server_config, basic_auth_users"),
        ("\ntls_server_config:\n  cert_file: a\n  key_file: b\n  client_ca_file: c\n",
         "web.yml:5: 'client_ca_file' is not known in tls_server_config, which has cert_file, key_file"),
        ("tls_server_config:\n  cert_file: a\n", "web.yml:1: 'tls_server_config' lacks key_file"),
        ("tls_server_config:\n  key_file: a\n", "web.yml:1: 'tls_server_config' lacks cert_file"),
        ("tls_server_config:\n  cert_file: a\n  key_file: b\n", "web.yml:2: 'cert_file': "),
        ("tls_server_config:\n  cert_file: a\n  key_file: b\n", "/a can't be read: No such file"),
        ("tls_server_config:\n  cert_file: web.yml\n  key_file: b\n", "web.yml:3: 'key_file': "),
        ("tls_server_config:\n  cert_file:\n", "web.yml:2: 'cert_file' in tls_server_config must be the name of a file"),
        ("tls_server_config: {}\n", "web.yml:1: 'tls_server_config' lacks cert_file and key_file"),
        ("tls_server_config:\n", "web.yml:1: 'tls_server_config' lacks cert_file and key_file"),
        ("tls_server_config: [a]\n", "web.yml:1: tls_server_config must have lines of the form 'key: value'"),
        ("basic_auth_users: {}\n", "web.yml:1: 'basic_auth_users' has no users: name one, as in 'alice: $2y$10$...'"),
        ("\nbasic_auth_users:\n", "web.yml:2: 'basic_auth_users' has no users"),
        ("", "web.yml protects nothing: it needs tls_server_config, basic_auth_users or both"),
        ("# basic_auth_users: {}\n", "web.yml protects nothing"),
        ("{}\n", "web.yml protects nothing"),
        (ALICE + "secret\n", "web.yml:2: 'alice' needs a password as bcrypt has it"),
        (ALICE + bcrypt("x")[:-1] + "\n", "web.yml:2: 'alice' needs a password as bcrypt has it"),
        (ALICE + bcrypt("x").replace("$04$", "$16$") + "\n", "web.yml:2: 'alice' has a bcrypt of cost 16: from 4 to 15"),
        (ALICE + bcrypt("x").replace("$04$", "$03$") + "\n", "web.yml:2: 'alice' has a bcrypt of cost 3: from 4 to 15"),
        (f"basic_auth_users:\n  'a:b': {bcrypt('x')}\n", "web.yml:2: 'a:b' can't log in: a name in basic_auth_users"),
        (f"basic_auth_users:\n  '': {bcrypt('x')}\n", "web.yml:2: '' can't log in"),
        pytest.param(f"basic_auth_users:\n  {'a' * 257}: {bcrypt('x')}\n", "web.yml:2: 'aaa", id="a long name"),
        (f"basic_auth_users:\n  [a]: {bcrypt('x')}\n", "web.yml:2: a key in basic_auth_users must be a word"),
        (2 * (ALICE + bcrypt("x") + "\n"), "web.yml:3: 'basic_auth_users' is given twice in a web configuration"),
        (f"basic_auth_users:\n  a: {bcrypt('x')}\n  a: {bcrypt('x')}\n", "web.yml:3: 'a' is given twice in basic_auth_users"),
        pytest.param("basic_auth_users:\n" + "".join(f"  a{i}: {bcrypt('x')}\n" for i in range(65)),
                     "web.yml:66: 'a64' is one too many: basic_auth_users has 64 users at most", id="many users"),
        ("\na: [\n", "web.yml:3: this is no YAML"),
        (ALICE + bcrypt("x") + "\n---\na: b\n", "web.yml:4: a web configuration ends before '---'"),
        ("[]\n", "web.yml:1: a web configuration must have lines of the form 'key: value'"),
        pytest.param("#" * 65537, "web.yml can't be read: it has more than 65536 bytes", id="a long file"),
    ],
)
def test_a_web_configuration_that_is_none(start, config, expected):
    server = start(web_config=config)
    assert server.wait() == 1
    assert expected in server.log()
    server.ended = True


def test_a_web_configuration_at_its_limits(start):
    """Users, bytes of a name, bytes of the file."""
    name = 256 * "a"
    config = "basic_auth_users:\n" + "".join(f"  a{i}: {bcrypt('x')}\n" for i in range(63)) + f"  {name}: {bcrypt('x')}\n"
    server = start(web_config=config + (65536 - len(config)) * "#")
    assert server.status("/page", Authorization=basic(name, "x")) == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "localhost:1", ":1",
                                     "::1:80", "[127.0.0.1]:80", "unix:", "127.0.0.1:-1", "[::1]80"])  # fmt: skip
def test_what_is_no_address(start, address):
    server = start(address)
    assert server.wait() == 1
    assert f"'{address}' is no address" in server.log()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_an_address_of_other_hosts_needs_tls_and_a_login(start, address):
    for config in None, ALICE + bcrypt("x") + "\n":
        server = start(address, web_config=config)
        assert server.wait() == 1
        assert "needs TLS and a login" in server.log()


def test_a_port_that_is_taken(start, server):
    other = start(f"127.0.0.1:{server.port}")
    assert other.wait() == 1
    assert "can't be listened at: Address already in use" in other.log()


def test_a_socket_that_is_taken(start, programs):
    path = programs.path("s.sock")
    start(f"unix:{path}")
    other = start(f"unix:{path}")
    assert other.wait() == 1 and "can't be listened at: Address already in use" in other.log()


# ---- limits -------------------------------------------------------------------------------------


def test_the_head_of_a_request_has_a_limit(server):
    """Its path, and the names and values of its headers."""
    most = limit("HTTP_HEADERS_MAX")
    for more, expected in (0, 200), (1, 431):
        used = len("/turn") + len("Host") + len("localhost") + len("X")
        request = f"GET /turn HTTP/1.1\r\nHost: localhost\r\nX: {'x' * (most - used + more)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(request.encode())
            assert client.recv(4096).split()[1] == str(expected).encode()


def test_the_arguments_of_a_path_have_a_limit(server):
    """Libmicrohttpd 0.9 never answers where they are more than it has memory for."""
    most = limit("HTTP_ARGUMENTS_MAX")
    for n, expected in (most, 200), (most + 1, 414), (1000, 414), (8000, 414):
        assert server.status("/page?" + "&".join(n * ["a"])) == expected


NUL_REQUESTS = {
    "path": "GET /page\0x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "path, as %00": "GET /page%00x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "argument": "GET /page?a=b\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "argument, as %00": "GET /page?a=%00x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "host": "GET /page HTTP/1.1\r\nHost: localhost\0.example\r\n\r\n",
    "end of host": "GET /page HTTP/1.1\r\nHost: localhost\0\r\nX: y\r\n\r\n",
    "two in host": "GET /page HTTP/1.1\r\nHost: localhost\0\0x\r\nX: y\r\n\r\n",
    "another header": "GET /page HTTP/1.1\r\nHost: localhost\r\nAccept: x\0y\r\nX: y\r\n\r\n",
    "line": "GET /page HTTP/1.1\r\nHost: localhost\r\n\0\r\n\r\n",
    "begin of a line": "GET /page HTTP/1.1\r\nHost: localhost\r\n\0x: y\r\n\r\n",
    "bare newlines": "GET /page HTTP/1.1\nHost: localhost\0x\n\n",
}


@pytest.mark.parametrize("where", NUL_REQUESTS)
def test_a_nul_is_refused(server, where):
    """What stands behind it would not be looked at. In a path, libmicrohttpd 1.0 hangs up without a word."""
    with connect_from(server) as client:
        client.sendall(NUL_REQUESTS[where].encode())
        reply = client.recv(4096)
        assert not reply or reply.split()[1] == b"400"


@pytest.mark.parametrize("request_text", [
    "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /page HTTP/1.1\nHost:localhost\n\n",
    "GET /page?a=%01&a&&=&a=b HTTP/1.1\r\nHost: \t localhost\r\nX:\r\nX: \r\nY: z \r\n\r\n",
    "GET /page HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; c\r\n\r\n",
    "\r\nGET /pa%67e HTTP/1.0\r\nHost: localhost\r\n\r\n"])  # fmt: skip
def test_odd_requests_that_are_good(server, request_text):
    """In one piece, and byte by byte."""
    with connect_from(server) as client, connect_from(server) as slow:
        client.sendall(request_text.encode())
        assert client.recv(4096).split()[1] == b"200"
        for byte in request_text.encode():
            slow.sendall(bytes([byte]))
        assert slow.recv(4096).split()[1] == b"200"


def test_the_requests_of_a_connection_have_a_limit(server):
    most = limit("HTTP_REQUESTS_PER_SECOND")
    connection = server.connect()
    time.sleep(1 - time.clock_gettime(time.CLOCK_MONOTONIC) % 1)  # all in one second
    begin = time.clock_gettime(time.CLOCK_MONOTONIC)
    statuses = [ask(connection, "/page")[0] for _ in range(most + 1)]
    if int(begin) == int(time.clock_gettime(time.CLOCK_MONOTONIC)):
        assert statuses == most * [200] + [429]
    assert server.status("/page") == 200


def test_a_further_connection_takes_the_place_of_the_oldest(server):
    most = limit("HTTP_CONNECTIONS_MAX")
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(most)]
    assert [ask_raw(client) for client in (clients[0], clients[-1])] == [b"200", b"200"]
    assert server.status("/page") == 200  # one more than there is room for
    assert clients[1].recv(1) == b"", "the one that has been silent for longest"
    assert ask_raw(clients[0]) == b"200"
    for client in clients:
        client.close()


def ask_raw(client, path="/page"):
    send_raw(client, path)
    return client.recv(4096).split()[1]


def send_raw(client, path):
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def connect_from(server, address="127.0.0.1"):
    """All of 127.0.0.0/8 is this host."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE, source_address=(address, 0))


def test_who_asks_and_leaves_keeps_nobody_out(server):
    """They wait for a turn, and more of them come than there is room for; none is waited for."""
    held = connect_from(server)
    server.hold(held)
    for _ in range(16 * limit("HTTP_CONNECTIONS_MAX")):
        with connect_from(server) as leaves:
            send_raw(leaves, "/same")
    assert server.status("/page") == 200
    server.release()
    assert held.recv(4096).split()[1] == b"200", "who stays is not cut off for who left"
    held.close()


def test_nothing_is_made_for_who_is_gone(start, programs):
    """At a unix socket that is known at once."""
    path = programs.path("s.sock")
    start_of_turn, goes, stays = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    with contextlib.ExitStack() as sockets:
        server = start(f"unix:{path}")
        for client in start_of_turn, goes, stays:
            sockets.enter_context(client)
            client.settimeout(PATIENCE)
            client.connect(path)
        server.hold(start_of_turn)
        assert ask_raw(stays) == b"200"  # behind it
        send_raw(goes, "/held?mib=1")  # nobody would end its turn
        assert ask_raw(stays) == b"200"
        goes.close()
        send_raw(stays, "/turn")
        server.release()
        assert start_of_turn.recv(4096).split()[1] == b"200"
        assert stays.recv(4096).split()[1] == b"200"


def test_who_has_said_all_is_answered(server):
    with connect_from(server) as client:
        send_raw(client, "/slow")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(4096).split()[1] == b"200"


def test_who_is_silent_goes_before_who_waits(server):
    """As many newcomers as there is room for, who ask for nothing."""
    waits = connect_from(server)
    server.hold(waits)
    silent = [connect_from(server) for _ in range(limit("HTTP_CONNECTIONS_MAX"))]
    assert ask_raw(silent[-1]) == b"200"  # all have been taken
    server.release()
    assert waits.recv(4096).split()[1] == b"200"
    assert silent[0].recv(1) == b"", "the one that has been silent for longest"
    for client in [waits, *silent]:
        client.close()


def test_of_those_who_wait_the_last_goes(server):
    """Who has waited for longest is the next to be answered."""
    waiting = [connect_from(server) for _ in range(limit("HTTP_CONNECTIONS_MAX") - 1)]
    for client in waiting:
        send_raw(client, "/held")
    other = connect_from(server, "127.0.0.2")
    assert ask_raw(other) == b"200"  # behind all of theirs
    assert server.status("/page") == 200  # one more than there is room for
    assert waiting[-1].recv(1) == b""
    server.release()
    server.release()  # of those that a first turn had not yet
    assert {client.recv(4096).split()[1] for client in waiting[:-1]} == {b"200"}
    for client in [other, *waiting]:
        client.close()


def test_who_has_most_connections_loses_one(server):
    """Whatever others do, at another address."""
    alone = connect_from(server, "127.0.0.2")
    assert ask_raw(alone) == b"200"
    many = [connect_from(server) for _ in range(limit("HTTP_CONNECTIONS_MAX"))]
    assert ask_raw(many[-1]) == b"200"
    assert many[0].recv(1) == b""
    assert ask_raw(alone) == b"200"
    for client in [alone, *many]:
        client.close()


def test_a_turn_makes_few_documents_for_each(server):
    """Who asks for more has them in the next one; another one's is in the first."""
    most = limit("HTTP_TURN_DOCUMENTS")
    held, alone = connect_from(server, "127.0.0.3"), connect_from(server, "127.0.0.2")
    many = [connect_from(server) for _ in range(most + 1)]
    server.hold(held)
    for i, client in enumerate(many):
        send_raw(client, f"/same?mib={i}")
    send_raw(alone, "/turn")
    assert server.status("/page") == 200  # behind all of theirs
    server.release()
    first, *turns = [int(client.recv(4096).rsplit(b"\n", 2)[1]) for client in [alone, *many]]
    assert turns == most * [first] + [first + 1]
    for client in [held, alone, *many]:
        client.close()


def test_who_may_have_left_costs_one_document_in_a_turn(server):
    """One who is there has its own in the first."""
    first, stays = connect_from(server, "127.0.0.3"), connect_from(server, "127.0.0.2")
    many = [connect_from(server) for _ in range(3)]
    server.hold(first)
    for i, client in enumerate(many):
        send_raw(client, f"/held?mib={i}")
        client.shutdown(socket.SHUT_WR)
    send_raw(stays, "/turn")
    assert server.status("/page") == 200  # behind all of theirs
    server.release()
    assert server.process.stdout.readline() == "held\n"  # of the first of them
    server.release()
    assert stays.recv(4096).split()[1] == b"200", "nobody has released the second one"
    for client in [first, stays, *many]:
        client.close()


def niceness_of_threads(pid):
    weights = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as file:
            weights[int(task)] = int(file.read().rsplit(")", 1)[1].split()[16])
    return weights


def test_its_threads_leave_cpus_to_others(guarded):
    """All but the first, which is the program's, and that of a sanitizer. Each says so itself, once it has a CPU."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    expected = {max(own, limit("HTTP_NICE")), max(own, limit("HTTP_LOGIN_NICE"))}
    allowed = expected | ({own} if SANITIZED else set())

    def are_as_nice_as_they_should_be():
        weights = niceness_of_threads(guarded.pid)
        return weights.pop(guarded.pid) == own and expected <= set(weights.values()) <= allowed

    wait_until(are_as_nice_as_they_should_be, f"its threads have {expected}")


def test_who_reads_slowly_costs_nobody_else(server):
    """Byte by byte, while others read the same document."""
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"GET /big?mib=16 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(5):
            assert slow.recv(1)
            assert len(server.get("/big?mib=1")[2]) == 1 << 20


def test_documents_that_nobody_takes_are_given_up(server):
    """Each reader holds one of 48 MiB: the sixth is more than all may have."""
    readers = [connect_from(server) for _ in range(6)]
    for i, reader in enumerate(readers):
        reader.sendall(b"GET /big?mib=48 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert reader.recv(1) == b"H", i
    with pytest.raises((ConnectionError, AssertionError)):  # cut off: much less than all has come
        assert sum(len(piece) for piece in iter(lambda: readers[0].recv(1 << 20), b"")) >= 48 << 20
    left = 48 << 20
    while left > 0:
        piece = readers[-1].recv(1 << 20)
        assert piece
        left -= len(piece)
    assert server.memory() < (1500 if SANITIZED else 600) * 1024  # the shadow of a sanitizer is as large as what it shadows
    for reader in readers:
        reader.close()


def test_what_one_turn_makes_is_bounded(server):
    """Of 20 to 59 MiB each, which nobody reads: 1.5 GiB in all."""
    held = connect_from(server)
    server.hold(held)
    readers = [connect_from(server, f"127.0.0.{2 + i // 4}") for i in range(40)]
    for i, reader in enumerate(readers):
        assert ask_raw(reader) == b"200"
        send_raw(reader, f"/big?mib={20 + i}")
    server.release()
    assert b" 200 " in readers[-1].recv(100)
    bound = (limit_of_documents() + 2 * (59 << 20)) // 1024 + 32 * 1024
    assert server.memory("VmHWM") < (4 if SANITIZED else 1) * bound
    for client in [held, *readers]:
        client.close()


def limit_of_documents():
    return eval(re.search(r"HTTP_DOCUMENTS_MAX \(\(size_t\)(.*)\)", LIMITS)[1])  # pylint: disable=eval-used


def test_it_ends_while_somebody_reads_and_somebody_waits(server):
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"GET /big?mib=16 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(1)
        with socket.create_connection(("127.0.0.1", server.port)) as waits:
            waits.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            server.stop()

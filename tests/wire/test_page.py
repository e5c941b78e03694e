# SPDX-License-Identifier: MIT
"""The page of the daemon, in a browser, with VMs that the test makes up."""

import http.server
import importlib.util
import json
import threading
import time
import urllib.parse

import pytest

from support.page import cells, ink, names, open_vm
from support.programs import ROOT, wait_until

PAGE = ROOT / "src/web/page.html"
FIGURES = [("CPU", "seconds", -9), ("STEAL", "seconds", -9), ("EXITS", "none", 0), ("IO+MMIO", "none", 0),
           ("IRQS", "none", 0), ("HALTS", "none", 0), ("FAULTS", "none", 0)]  # fmt: skip
BUCKETS = 32


def policy(page):
    spec = importlib.util.spec_from_file_location("embed_page", ROOT / "scripts/embed_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.policy(page)


class Host:
    """VMs whose counters grow by the clock, as /api/v1/vms has them."""

    def __init__(self):
        self.vms, self.begin, self.bucket, self.buckets = {}, time.monotonic(), 12, [0] * BUCKETS

    def add(self, name, vcpus=2):
        self.vms[name] = {"name": name, "pid": 1000 + len(self.vms), "uid": 0, "vmm": "qemu", "vcpus": vcpus, "state": "running"}

    def clock(self):
        return time.monotonic() - self.begin

    def head(self):
        return {"version": 1, "time": time.time(), "clock": self.clock()}

    def vm(self, name):
        vm, seconds = self.vms[name], self.clock()
        cpu = int(seconds * 1e9)
        return vm | {"figures": [cpu * vm["vcpus"], cpu // 10, int(seconds * 5000), int(seconds * 700), int(seconds * 90), 0, None]}

    def list(self):
        figures = [{"name": n, "type": "cumulative", "unit": u, "exponent": e} for n, u, e in FIGURES]
        return self.head() | {"figures": figures, "vms": [self.vm(name) for name in self.vms]}

    def one(self, name):
        self.buckets[self.bucket] += 100
        stats = [{"name": "exits", "type": "cumulative", "unit": "none", "base": 10, "exponent": 0},
                 {"name": "halt_wait_hist", "type": "log-hist", "unit": "seconds", "base": 10, "exponent": -9,
                  "buckets": BUCKETS}]  # fmt: skip
        sched = [{"name": name, "type": "cumulative", "unit": "seconds", "base": 10, "exponent": -9} for name in ("run_ns", "steal_ns")]
        cpu = int(self.clock() * 1e9)
        objects = [{"path": f"/kvm/vcpu[{i}]", "number": i, "thread": 2000 + i, "values":
                    [[int(self.clock() * 2500), self.buckets if i == 0 else [0] * BUCKETS], [cpu, cpu // 20]]}
                   for i in range(self.vms[name]["vcpus"])]  # fmt: skip
        target = {"name": "vcpu", "schemas": [{"provider": "kvm", "stats": stats}, {"provider": "sched", "stats": sched}],
                  "objects": objects}  # fmt: skip
        return self.head() | self.vm(name) | {"targets": [target]}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        host, path = self.server.host, urllib.parse.unquote(self.path)
        name = path.removeprefix("/api/v1/vms/")
        if path == "/":
            page = PAGE.read_text("utf-8")
            self.answer(200, "text/html; charset=utf-8", page, policy(page))
        elif path == "/api/v1/vms":
            self.answer(200, "application/json", json.dumps(host.list()))
        elif name in host.vms:
            self.answer(200, "application/json", json.dumps(host.one(name)))
        else:
            self.answer(404, "text/plain", "There is no such VM.\n")

    def answer(self, status, kind, text, rules=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if rules:
            self.send_header("Content-Security-Policy", rules)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture
def host():
    host = Host()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.host = host
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host.address = f"http://127.0.0.1:{server.server_address[1]}/"
    yield host
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(host, browser):
    """The browser at the page; what it had to complain about is an error, and so is a request to anywhere else."""
    host.add("web1")
    host.add("db <b>&\"'", 4)
    browser.open(host.address)
    wait_until(lambda: names(browser) == list(host.vms), "the VMs are listed", 60)
    yield browser
    assert browser.complaints == []
    assert [address for address in browser.requests if not address.startswith((host.address, "data:"))] == []


def test_the_figures_of_a_vm(page):
    """A rate of a counter, a share of time, nothing where the kernel has nothing."""
    wait_until(lambda: cells(page, "web1")[0].endswith("%"), "a second answer")
    cpu, steal, exits, *_, faults = cells(page, "web1")
    assert 190 <= float(cpu.removesuffix(" %")) <= 210 and 9 <= float(steal.removesuffix(" %")) <= 11
    assert exits == "5K" or 4.8 <= float(exits.removesuffix("K")) <= 5.2
    assert faults == "–"


def test_a_vm_begins_and_ends(page, host):
    host.add("new")
    wait_until(lambda: "new" in names(page), "the VM that has begun")
    del host.vms["web1"]
    wait_until(lambda: "web1" not in names(page), "the VM that has ended")
    host.vms.clear()
    wait_until(lambda: not page.run("document.getElementById('none').hidden"), "there are none")


def test_a_vm_of_the_same_name_begins_anew(page, host):
    wait_until(lambda: cells(page, "web1")[2] != "–", "a second answer")
    host.vms["web1"]["pid"] = 77
    wait_until(lambda: page.run("[...document.querySelectorAll('#vms button.name')].some(each => each.title.includes('77'))"),
               "the other life")  # fmt: skip


def test_one_vm_by_the_keyboard(page, host):
    page.run("document.querySelector('#vms button.name').focus()")
    page.press("Enter")
    wait_until(lambda: page.run("document.querySelectorAll('#vcpus tbody tr').length") == 2, "its vCPUs")
    assert page.run("document.getElementById('title').textContent") == "web1"
    wait_until(lambda: "CPU" in page.run("document.querySelector('#vcpus thead').textContent"), "their columns")
    del host.vms["web1"]
    wait_until(lambda: page.run("document.getElementById('status').textContent") == "This VM has ended.", "its end")
    page.complaints.clear()  # of the 404
    page.press("Escape")
    wait_until(lambda: not page.run("document.getElementById('list').hidden"), "all VMs again")


def test_a_histogram_moves(page, host):
    open_vm(page, "web1")
    total = "Number(document.getElementById('heat').dataset.total || 0)"
    wait_until(lambda: page.run("Number(document.getElementById('heat').dataset.columns || 0)") >= 2, "three answers")
    before = page.run(total)
    wait_until(lambda: page.run(total) > before, "it counts on")
    text = page.run("document.getElementById('scale').textContent")
    assert "halt_wait_hist, seconds" in text and "100 a second" in text
    dark = ink(page)
    host.bucket = 20
    wait_until(lambda: ink(page) != dark, "another bucket")


def test_no_request_can_leave_the_host(page):
    """The page makes none, and the browser would not let it."""
    for kind in "fetch('http://192.0.2.1/')", "new Promise((y, n) => { const i = new Image(); i.onload = y; i.onerror = n; i.src = 'http://192.0.2.1/x.png'; })":
        assert page.run(f"{kind}.then(() => 'went', () => 'refused')") == "refused"
    assert any("Content Security Policy" in each or "violates" in each for each in page.complaints)
    page.complaints.clear()
    page.requests[:] = [each for each in page.requests if "192.0.2.1" not in each]


@pytest.mark.parametrize("size", [(1280, 800, False), (1024, 700, False), (390, 844, True)], ids=["wide", "narrow", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_wider_than_the_window(page, size, dark):
    width, height, mobile = size
    page.look(width, height, dark, mobile)
    wait_until(lambda: cells(page, "web1")[0].endswith("%"), "a second answer")
    wider = """[...document.querySelectorAll('html, .scroll')].filter(each => each.scrollWidth > each.clientWidth).map(each => each.className)"""
    assert page.run(wider) == []
    assert page.run("document.documentElement.scrollWidth") <= width
    colour = page.run("getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")
    open_vm(page, "web1")
    wait_until(lambda: page.run("document.querySelectorAll('#vcpus tbody tr').length") == 2, "its vCPUs")
    assert page.run(wider) == []


def test_100_vms_are_little_work(page, host):
    """In one frame at most 20 rows are drawn, so that none is long."""
    for i in range(98):
        host.add(f"vm{i}")
    wait_until(lambda: len(names(page)) == 100, "100 VMs")
    page.look(1280, 20000)  # all can be seen
    page.run("""(() => { window.most = 0; window.all = 0; const splice = queue.splice;
        queue.splice = function (...words) { const taken = splice.apply(this, words); window.most = Math.max(window.most, taken.length);
            window.all += taken.length; return taken; }; })()""")
    wait_until(lambda: page.run("window.all") >= 300, "three turns are drawn")
    assert 1 <= page.run("window.most") <= 20


def test_a_frame_has_the_table_laid_out_once(page, host):
    """All sizes are asked for before anything is written: behind a change, each question costs a layout of all rows."""
    for i in range(18):
        host.add(f"vm{i}")
    wait_until(lambda: len(names(page)) == 20, "20 VMs")
    page.look(1280, 2000)
    page.run("""(() => { window.late = window.drawn = 0; let hasDrawn = false;
        const request = window.requestAnimationFrame.bind(window), {prototype} = CanvasRenderingContext2D, {stroke} = prototype;
        const ask = Element.prototype.getBoundingClientRect;
        window.requestAnimationFrame = run => request(time => { hasDrawn = false; run(time); });
        Element.prototype.getBoundingClientRect = function () { window.late += hasDrawn; return ask.call(this); };
        prototype.stroke = function () { hasDrawn = true; window.drawn++; return stroke.call(this); }; })()""")
    wait_until(lambda: page.run("window.drawn") >= 2 * 20 * len(FIGURES), "two turns are drawn")
    assert page.run("window.late") == 0

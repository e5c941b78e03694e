#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How smooth the daemon's page is: a headless Chromium with 100 VMs that are made up, all of them in sight.

Frames are those of requestAnimationFrame; work is what the page's own script takes in one of them, or for one
answer. Needs chromium and what the tests need, and no KVM:

    bench/page.py --vms 100
"""

import argparse
import http.server
import pathlib
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "wire")]
WIDTH, ROW_HEIGHT = 1280, 40

# The page's functions have names of their own, so they can be measured where they are.
MEASURE = """(() => {
    window.times = {frames: [], drawing: [], answers: []};
    const timed = (list, run) => (...words) => { const begin = performance.now(); const result = run(...words);
        list.push(performance.now() - begin); return result; };
    const request = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = run => request(timed(times.drawing, run));
    showVms = timed(times.answers, showVms);
    let last = performance.now();
    request(function frame(now) { times.frames.push(now - last); last = now; request(frame); });
})()"""


def figures(values):
    values = sorted(values)
    return "".join(f"{value:9.2f}" for value in (values[len(values) // 2], values[len(values) * 99 // 100], values[-1]))


def serve(vms):
    host = Host()
    for i in range(vms):
        host.add(f"vm{i}", 2)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.host = True, host
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/"


def measure(browser, address, vms, seconds):
    browser.look(WIDTH, 200 + vms * ROW_HEIGHT)
    browser.open(address)
    wait_until(lambda: len(names(browser)) == vms, "the VMs are listed", 60)
    browser.run(MEASURE)
    time.sleep(seconds)
    print(f"{vms} VMs, ms{'':14}{'number':>8}{'median':>9}{'p99':>9}{'worst':>9}")
    for what, title in (("frames", "between frames"), ("drawing", "work in a frame"), ("answers", "work for an answer")):
        values = browser.run(f"times.{what}")
        print(f"{title:24}{len(values):8}{figures(values)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--vms", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    from support.browser import Browser
    from support.page import names
    from support.programs import wait_until
    from test_page import Handler, Host

    with tempfile.TemporaryDirectory() as directory:
        of_page = Browser(directory)
        try:
            measure(of_page, serve(given.vms), given.vms, given.seconds)
        finally:
            of_page.stop()

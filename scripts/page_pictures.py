#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the pictures of the daemon's page for the documentation, of VMs on /dev/kvm.

Writes docs/page.png, all VMs, and docs/page-vm.png, one of them; with --all beside them both as on a phone,
and both dark, for who works on the page. Needs root, chromium, and what the tests need.
"""

import argparse
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
VMS = {"db1": ["--vcpus", 2], "web1": ["--vcpus", 4], "build1": ["--vcpus", 1, "--guest", "spin"],
       "cache1": ["--vcpus", 2, "--guest", "halted"], "spare": ["--vcpus", 1, "--guest", "none"]}  # fmt: skip
SHOWN = "db1"
WIDE, PHONE = (1100, 800, False), (390, 844, True)
LIST_HEIGHT = 256  # of the list alone, in the documentation
LOOKS = {"": (WIDE, False), "-phone": (PHONE, False), "-dark": (WIDE, True), "-phone-dark": (PHONE, True)}


def take(browser, directory, name, looks, wide_height):
    for end, ((width, height, mobile), dark) in looks.items():
        height = height if mobile else wide_height
        browser.look(width, height, dark, mobile)
        time.sleep(2.5)  # of new numbers, each second, and of what is drawn anew
        browser.picture(directory / f"{name}{end}.png")


def run(options, programs):
    for name, words in VMS.items():
        programs.demo("--name", name, *words)
    daemon = programs.keep(Daemon(programs.directory, "--user", "root", "--group", "root", "--metrics", "127.0.0.1:0"))
    assert daemon.ready, daemon.log()
    browser, looks = programs.keep(Browser(programs.directory)), LOOKS if options.all else {"": LOOKS[""]}
    browser.look(*WIDE[:2])
    browser.open(Web(daemon).address)
    wait_until(lambda: set(VMS) <= set(names(browser)), "the VMs are listed", 60)
    time.sleep(options.seconds)
    take(browser, options.out, "page", looks, LIST_HEIGHT)
    browser.look(*WIDE[:2])
    open_vm(browser, SHOWN)
    time.sleep(options.seconds)
    take(browser, options.out, "page-vm", looks, WIDE[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs")
    parser.add_argument("--seconds", type=float, default=60, help="of each view, until its pictures")
    parser.add_argument("--all", action="store_true", help="on a phone and dark, too")
    given = parser.parse_args()
    os.environ["VITALS"] = str(given.build.resolve() / "vitals")
    from support.browser import Browser
    from support.daemon import Daemon
    from support.page import names, open_vm
    from support.programs import Programs, wait_until
    from support.web import Web

    started = Programs()
    try:
        run(given, started)
    finally:
        started.close()

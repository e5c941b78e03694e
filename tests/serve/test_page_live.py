# SPDX-License-Identifier: MIT
"""The page of a daemon on real VMs, in a browser."""

import os

import pytest

from support.page import cells, ink, names, open_vm
from support.programs import wait_until
from support.registrant import Registrant, Vm
from support.this_host import name_of

TOTAL = "Number(document.getElementById('heat').dataset.total || 0)"


@pytest.fixture
def page(web, browser):
    """The browser at the page; no request goes to anywhere else, and nothing is complained about."""
    browser.open(web.address)
    wait_until(lambda: "VM" in browser.run("document.getElementById('status')?.textContent || ''"), "an answer", 60)
    yield browser
    assert browser.complaints == []
    assert [address for address in browser.requests if not address.startswith((web.address, "data:"))] == []


def test_a_vm_starts_and_ends(page, vmm):
    first = vmm("--guest", "spinning")
    name = name_of(first.pid)
    wait_until(lambda: name in names(page), "the VM that has started")
    wait_until(lambda: cells(page, name)[0].endswith("%"), "its CPU time")
    assert float(cells(page, name)[0].removesuffix(" %")) > 0
    first.kill()
    wait_until(lambda: name not in names(page), "the VM that has ended")


def test_a_registered_vm(page, web, programs, name):
    machine = programs.keep(Vm((0, 5)))
    client = programs.keep(Registrant(os.path.join(web.daemon.run_directory, "register.sock")).negotiate())
    client.register(machine, name, vmm="tiny")
    wait_until(lambda: name in names(page), "the VM that has registered")
    open_vm(page, name)
    wait_until(lambda: page.run("document.querySelectorAll('#vcpus tbody tr').length") == 2, "its vCPUs")
    assert "tiny" in page.run("document.getElementById('who').textContent")


def test_a_histogram_moves(page, programs, name):
    """And the VM's end is said."""
    demo = programs.demo("--name", name)
    wait_until(lambda: name in names(page), "the VM that has started")
    open_vm(page, name)
    wait_until(lambda: page.run(TOTAL) > 0, "halts are counted")
    before = page.run(TOTAL)
    wait_until(lambda: page.run(TOTAL) > before, "it counts on")
    wait_until(lambda: ink(page) > 0, "it is drawn")
    assert "halt_wait_hist, seconds" in page.run("document.getElementById('scale').textContent")
    demo.stop()
    wait_until(lambda: page.run("document.getElementById('status').textContent") == "This VM has ended.", "its end")
    page.complaints.clear()  # of the 404

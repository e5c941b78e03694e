# SPDX-License-Identifier: MIT
"""What the daemon's page shows in a browser."""

import json


def names(browser):
    return browser.run("[...document.querySelectorAll('#vms button.name')].map(each => each.textContent)")


def cells(browser, name):
    """The texts of a VM's cells."""
    return browser.run(f"""[...[...document.querySelectorAll('#vms tbody tr')].find(row =>
        row.querySelector('button').textContent === {json.dumps(name)}).querySelectorAll('td span')].map(each => each.textContent)""")


def open_vm(page, name):
    page.run(f"[...document.querySelectorAll('#vms button.name')].find(each => each.textContent === {json.dumps(name)}).click()")


def ink(page):
    """In which rows of the heat map there is anything."""
    return page.run("""(() => { const c = document.getElementById('heat'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        const rows = []; for (let y = 0; y < c.height; y++) for (let x = 100; x < c.width; x++)
            if (d[4 * (y * c.width + x) + 3]) { rows.push(y); break; } return rows.length; })()""")

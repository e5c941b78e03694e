#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""embed_page.py PAGE OUTPUT: a page as a C header, with the policy that lets its own style and script run.

Browsers refuse everything else: other scripts, styles in attributes, and all that is elsewhere.
"""

import base64
import hashlib
import pathlib
import re
import sys

NAME = "web_page"


def hashes(page, element):
    """The digest of each <style> or <script>, as a policy wants it."""
    contents = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digests = (hashlib.sha256(content.encode()).digest() for content in contents)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"


def policy(page):
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {hashes(page, 'script')}",
            f"style-src {hashes(page, 'style')}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def c_bytes(data):
    return "".join(f"{byte}," + ("\n" if i % 32 == 31 else "") for i, byte in enumerate(data))


def main(page_path, output):
    page = pathlib.Path(page_path).read_text("utf-8")
    data = page.encode()
    text = f"""/* Made by embed_page.py. */
#define {NAME.upper()}_POLICY "{policy(page)}"
static const char {NAME}[] = {{
{c_bytes(data)}0}};
static const size_t {NAME}_len = {len(data)};
"""
    pathlib.Path(output).write_text(text, "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

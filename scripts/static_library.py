#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes the static library that is installed: one object, whose global symbols are the public ones.

An archive of all objects would give the program that links it every symbol that two of the objects
share: those of QEMU's own commands among them.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile


def read_public_symbols(version_script: pathlib.Path) -> list[str]:
    """The names in the `global:` sections of a version script."""
    text = re.sub(r"/\*.*?\*/", "", version_script.read_text("utf-8"), flags=re.S)
    sections = re.findall(r"global:(.*?)(?:local:|})", text, flags=re.S)
    return re.findall(r"(\w+);", " ".join(sections))


def find_tool(compiler: list[str], name: str) -> str:
    """The compiler's own: those of the host know no other machine's objects."""
    result = subprocess.run([*compiler, f"-print-prog-name={name}"], check=True,
                            capture_output=True, text=True)  # fmt: skip
    return result.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("objects", type=pathlib.Path, help="an archive of all objects")
    parser.add_argument("version_script", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("compiler", nargs="+", help="and its options; it links")
    options = parser.parse_args()

    objcopy, ar = (find_tool(options.compiler, name) for name in ("objcopy", "ar"))
    with tempfile.TemporaryDirectory() as name:
        whole = pathlib.Path(name) / "vitals.o"
        public = pathlib.Path(name) / "public"
        public.write_text("\n".join(read_public_symbols(options.version_script)), "utf-8")
        subprocess.run([*options.compiler, "-r", "-nostdlib", "-o", whole, "-Wl,--whole-archive",
                        options.objects, "-Wl,--no-whole-archive"], check=True)  # fmt: skip
        subprocess.run([objcopy, f"--keep-global-symbols={public}", whole], check=True)
        options.output.unlink(missing_ok=True)
        subprocess.run([ar, "rcsD", options.output, whole], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

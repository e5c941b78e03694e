#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a command in an emulated machine that has KVM, on a host that has none.

QEMU emulates an AMD CPU with its virtualisation, Debian's kernel runs on it, and its KVM is the
real one: real statistics files, real exits. It is slow, and times mean nothing in it. The host's
files are there, and what the command changes is forgotten, but for the directories of --write.
VITALS_EMULATED is in its environment. Needs the packages of kind `emulate` (dependencies.txt), and no root.
"""

import argparse
import fnmatch
import lzma
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT_CACHE = HERE.parent / "build" / "emulated-kvm"
META_PACKAGE = "linux-image-amd64"  # depends on the newest kernel
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "fuse", "kvm_amd"]
# Of the kernel's packages only these are unpacked: the modules above, and what they need in some
# release. Where a release has /usr/lib/modules, that is meant, too.
UNPACKED = ["boot/vmlinuz-*", "lib/modules/*/modules.*"] + [
    f"lib/modules/*/kernel/{folder}/*"
    for folder in ("arch/x86/kvm", "drivers/crypto/ccp", "drivers/virtio", "fs/9p", "fs/fscache",
                   "fs/fuse", "fs/netfs", "fs/overlayfs", "net/9p", "virt")]  # fmt: skip
CPUS, MEMORY_MIB = 2, 3072
PASSED_ON = ("LANG", "LC_ALL", "TERM", "NO_COLOR", "CI")
# One thread emulates all CPUs: with a thread for each, a guest of KVM has ended in a triple fault, and
# the whole machine has stood still. The CPUs' clocks are one, and the kernel need not find that out.
ACCELERATOR = "tcg,thread=single"
KERNEL_ARGUMENTS = "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off"


class EmulationError(Exception):
    """What went wrong, in words for the user."""


def run(*command, **options):
    """Runs a tool that must succeed. What it prints."""
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                              **options).stdout  # fmt: skip
    except FileNotFoundError as error:
        raise EmulationError(f"{command[0]} is missing: scripts/install_dependencies emulate "
                             "installs it") from error  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise EmulationError(f"{shlex.join(map(str, command))} failed") from error


# ---- the kernel ---------------------------------------------------------------------------------


def dependencies(package):
    for line in run("apt-cache", "depends", package).splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends":
            yield name


def newest_kernel():
    """The package that the meta package stands for."""
    for name in dependencies(META_PACKAGE):
        if name.startswith("linux-image-"):
            return name
    raise EmulationError(f"apt knows no kernel behind {META_PACKAGE}: 'apt-get update' first")


def version_of(package):
    return package.removeprefix("linux-image-")


def parts_of(package):
    """The package, and those of the same version that a release has put parts of it into."""
    return [package] + [name for name in dependencies(package)
                        if name.startswith("linux-") and name.endswith("-" + version_of(package))]  # fmt: skip


def unpack_archive(archive, tree):
    """What is wanted of it, with /usr/lib at /lib."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as deb:
        with tarfile.open(fileobj=deb.stdout, mode="r|") as tar:
            for member in tar:
                name = member.name.removeprefix("./").removeprefix("usr/")
                if not member.isfile() or not any(fnmatch.fnmatch(name, p) for p in UNPACKED):
                    continue
                path = tree / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    shutil.copyfileobj(tar.extractfile(member), file)


def unpack(package, directory):
    """Downloads the kernel, and unpacks what is wanted of it."""
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        tree = pathlib.Path(scratch, "tree")
        (tree / "usr").mkdir(parents=True)
        (tree / "usr" / "lib").symlink_to("../lib")  # where the tools of some releases look
        for part in parts_of(package):
            run("apt-get", "download", "-q", part, cwd=scratch, stderr=subprocess.DEVNULL)
        for archive in pathlib.Path(scratch).glob("*.deb"):
            unpack_archive(archive, tree)
        run("depmod", "-b", tree, version_of(package))
        (tree / "unpacked").write_text("\n".join(UNPACKED), encoding="utf-8")
        shutil.rmtree(directory, ignore_errors=True)
        tree.rename(directory)


def is_unpacked(directory):
    """With all that is wanted now: an older release of this script may have left it."""
    note = directory / "unpacked"
    return note.exists() and note.read_text(encoding="utf-8") == "\n".join(UNPACKED)


def find_kernel(cache):
    """(the kernel's image, the files of its modules in the order to load them)."""
    package = newest_kernel()
    directory = cache / package
    cache.mkdir(parents=True, exist_ok=True)
    if not is_unpacked(directory):
        print(f"Downloading {package} ...", file=sys.stderr)
        unpack(package, directory)
    version = version_of(package)
    files = []
    for module in MODULES:
        for line in run("modprobe", "-d", directory, "-S", version, "--show-depends",
                        module).splitlines():  # fmt: skip
            word, _, path = line.strip().partition(" ")
            if word == "insmod" and path not in files:
                files.append(path)
    return directory / "boot" / f"vmlinuz-{version}", files


# ---- the machine --------------------------------------------------------------------------------


def copy_module(module, directory):
    """Some releases compress them."""
    data = module.read_bytes()
    if module.suffix == ".xz":
        data = lzma.decompress(data)
    (directory / module.name.removesuffix(".xz")).write_bytes(data)


def write_initrd(path, modules, shares, state):
    """What the kernel unpacks and starts: emulated_kvm.init and what it needs."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = pathlib.Path(scratch)
        for name in ("bin", "dev", "modules", "proc", "sys"):
            (tree / name).mkdir()
        shutil.copy(shutil.which("busybox") or "/bin/busybox", tree / "bin")
        shutil.copy(HERE / "emulated_kvm.init", tree / "init")
        (tree / "init").chmod(0o755)
        for module in modules:
            copy_module(pathlib.Path(module), tree / "modules")
        order = "".join(f"{pathlib.Path(module).name.removesuffix('.xz')}\n" for module in modules)
        (tree / "modules" / "order").write_text(order, encoding="utf-8")
        (tree / "shares").write_text(shares, encoding="utf-8")
        (tree / "state").write_text(f"{state}\n", encoding="utf-8")
        names = "".join(f"{name.relative_to(tree)}\n" for name in sorted(tree.rglob("*")))
        with path.open("wb") as initrd:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), check=True,
                           stdout=initrd, cwd=tree)  # fmt: skip


def share_options(tag, path, is_writable):
    """QEMU's options for a directory of the host."""
    readonly = "off" if is_writable else "on"
    yield from ("-fsdev", f"local,id={tag},path={path},security_model=none,multidevs=remap,"
                f"readonly={readonly}")  # fmt: skip
    yield from ("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}")


def write_command(path, command):
    """A shell script, so that any word of the command arrives as it is."""
    exports = "".join(f"export {name}={shlex.quote(os.environ[name])}\n"
                      for name in PASSED_ON if name in os.environ)  # fmt: skip
    path.write_text(
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root\n"
        "export VITALS_EMULATED=1\n"
        f"{exports}cd {shlex.quote(os.getcwd())} && exec {shlex.join(command)}\n",
        encoding="utf-8",
    )  # fmt: skip


def boot(cache, state, writable, seconds, kernel_arguments):
    """Runs the machine to its end; its output is ours."""
    kernel, modules = find_kernel(cache)
    shared = {f"share{i}": path for i, path in enumerate([state, *writable])}
    initrd, console = state / "initrd", state / "console"
    write_initrd(initrd, modules, "".join(f"{t} {p}\n" for t, p in shared.items()), state)
    arguments = " ".join([KERNEL_ARGUMENTS, *kernel_arguments])
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
               "-accel", ACCELERATOR, "-machine", "q35", "-cpu", "max,+svm,+npt", "-smp", str(CPUS),
               "-m", str(MEMORY_MIB), "-no-reboot", "-kernel", str(kernel), "-initrd", str(initrd),
               "-append", arguments, "-serial", f"file:{console}", "-serial", "stdio",
               *share_options("host", "/", False)]  # fmt: skip
    for tag, path in shared.items():
        command += share_options(tag, path, True)
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=seconds, check=True)
    except FileNotFoundError as error:
        raise EmulationError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise EmulationError(f"it has not ended in {seconds} s{last_words(console)}") from error
    except subprocess.CalledProcessError as error:
        raise EmulationError(f"QEMU has failed{last_words(console)}") from error


def last_words(console):
    """The end of what the kernel has said."""
    if not console.exists():
        return ""
    lines = console.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
    return "; the console of the machine:\n" + "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--write", type=pathlib.Path, action="append", default=[], metavar="DIR",
                        help="a directory that the command may change")  # fmt: skip
    parser.add_argument("--cache", type=pathlib.Path, default=DEFAULT_CACHE, metavar="DIR",
                        help="where the kernel is kept (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=1800, metavar="N",
                        help="end it after so many seconds (default: %(default)s)")  # fmt: skip
    parser.add_argument("--kernel-argument", action="append", default=[], metavar="ARGUMENT",
                        help="one more on the kernel's command line")  # fmt: skip
    parser.add_argument("command", nargs=argparse.REMAINDER, help="with its arguments, behind --")
    options = parser.parse_args()
    command = options.command[options.command[:1] == ["--"] :]
    if not command:
        parser.error("which command?")
    writable = [path.resolve() for path in options.write]
    with tempfile.TemporaryDirectory(prefix="emulated-kvm-") as scratch:
        state = pathlib.Path(scratch)
        write_command(state / "command", command)
        try:
            boot(options.cache.resolve(), state, writable, options.seconds, options.kernel_argument)
            status = state / "status"
            if not status.exists():
                raise EmulationError("it ended without a result" + last_words(state / "console"))
        except EmulationError as error:
            print(f"emulated_kvm: {error}", file=sys.stderr)
            return 125
        return int(status.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())

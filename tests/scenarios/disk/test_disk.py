"""A disk that is full, broken or lies: nothing crashes, nothing acknowledged is lost, reads go on, and writes
resume by themselves within a second."""
import errno
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
from load import ROOT, Load
from server import binary

RESUME_SECONDS_MAX = 1.0


@pytest.fixture(scope="session")
def faulty_disk(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the disk that refuses")
    library = tmp_path_factory.mktemp("faults") / "disk_faults.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, ROOT / "tests/crash/disk_faults.c", "-ldl"], check=True)
    return library


def runtimes():
    """Of the sanitizers the server was built with, whose libraries want to be loaded before all others."""
    linked = subprocess.run(["ldd", binary()], capture_output=True, text=True, check=False).stdout
    return re.findall(r"=> (\S*/lib[at]san\.so\S*)", linked)


class Faults:
    """What the disk under a server refuses just now."""

    def __init__(self, library, folder):
        self.file = folder / "faults"
        self.file.write_bytes(b"\0" * 4096)
        self.env = {"LD_PRELOAD": ":".join([*runtimes(), str(library)]), "FOGWATCH_DISK_FAULTS": str(self.file)}

    def set(self, *lines):
        text = "\n".join(lines).encode()
        with open(self.file, "r+b") as out:  # in place: it is mapped
            out.write(text + b"\0" * (4096 - len(text)))


# What breaks, and whether every writer must notice (WAL) or only some (a database or segments behind it).
FAULTS = [
    ("the log: no space", [f"write .wal {errno.ENOSPC}"], True),
    ("the log: input/output error", [f"write .wal {errno.EIO}"], True),
    ("the log: short writes", [f"short .wal {errno.ENOSPC}"], True),
    ("the log: sync fails", [f"sync .wal {errno.EIO}"], True),
    ("the log: no new file", [f"sync .wal {errno.EIO}", f"open .wal {errno.ENOSPC}"], True),
    ("resources: no space", [f"write resources.db {errno.ENOSPC}"], False),
    ("resources: sync fails", [f"sync resources.db {errno.EIO}"], False),
    ("segments: no space", [f"write /logs/ {errno.ENOSPC}"], False),
    ("segments: sync fails", [f"sync /logs/ {errno.EIO}"], False),
    ("segments: rename fails", [f"rename /logs/ {errno.EIO}"], False),
    ("metrics: no space", [f"write /metrics/ {errno.ENOSPC}"], False),
    ("traces: sync fails", [f"sync /traces/ {errno.EIO}"], False),
    ("everything: no space", [f"write - {errno.ENOSPC}", f"open - {errno.ENOSPC}"], True),
    ("everything: input/output error", [f"write - {errno.EIO}", f"sync - {errno.EIO}", f"rename - {errno.EIO}"], True),
]


def test_a_disk_that_refuses(faulty_disk, tmp_path):
    faults = Faults(faulty_disk, tmp_path)
    load = Load(tmp_path / "data", env=faults.env, pause=0.002)
    load.begin()
    load.wait_all(load.good, time.monotonic(), 20)
    try:
        for name, lines, everybody in FAULTS:
            begun = time.monotonic()
            faults.set(*lines)
            if everybody:
                load.wait_all(load.bad, begun, 10)
                status, _, _ = load.server.http("GET", "/health/detailed")
                assert status == 503, name
            else:
                time.sleep(0.5)
            load.reads_go_on()
            assert load.server.is_alive(), name
            cleared = time.monotonic()
            faults.set()
            took = load.wait_all(load.good, cleared, 10)
            assert took <= RESUME_SECONDS_MAX, f"{name}: writes resumed after {took:.2f} s"
            print(f"{name}: resumed after {took * 1000:.0f} ms")
        assert load.metric("fogwatch_disk_faults_total") > 0
        load.end()
        load.compare()
        load.server.kill()  # what is on disk must say the same
        load.server.env.pop("LD_PRELOAD")
        load.server.start()
        load.compare()
        print(f"{load.acknowledged()} items acknowledged, {sum(w.refused for w in load.writers)} calls refused")
        assert load.server.stop() == 0
    finally:
        load.stop.set()
        load.server.kill()


@pytest.fixture
def small_disk(tmp_path):
    """A filesystem of 64 MB of its own."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def fill(path):
    """Takes what space there is."""
    with open(path, "ab", buffering=0) as out:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    out.write(b"\0" * size)
            except OSError as full:
                assert full.errno == errno.ENOSPC


def test_a_full_disk(small_disk):
    load = Load(small_disk / "data", pause=0.01)
    load.begin()
    load.wait_all(load.good, time.monotonic(), 20)
    filler = small_disk / "filler"
    took = []
    try:
        for _ in range(5):
            begun = time.monotonic()
            fill(filler)
            while not all(load.bad.get(w.number, 0) > begun for w in load.writers):
                fill(filler)  # whatever became free meanwhile
                assert time.monotonic() < begun + 20, load.server.log()
                load.wait_all(load.bad, begun, 20, [load.writers[0]])
            load.reads_go_on()
            freed = time.monotonic()
            os.truncate(filler, 0)
            took.append(load.wait_all(load.good, freed, 10))
        assert max(took) <= RESUME_SECONDS_MAX, took
        load.end()
        load.compare()
        load.server.kill()
        load.server.start()
        load.compare()
        print(f"{load.acknowledged()} items acknowledged, {sum(w.refused for w in load.writers)} calls refused, "
              f"resumed after {', '.join(f'{t * 1000:.0f}' for t in took)} ms")
        assert load.server.stop() == 0
    finally:
        load.stop.set()
        load.server.kill()

"""One damaged file of each kind in a stopped server's folder: a flipped byte, a page of noise, a cut. The server
starts, or says in one line which file it cannot use; what it then answers was written, and little is missing."""
import pathlib
import random
import re
import shutil
import time

import pytest
from load import Load, crash
from server import Server


def kind_of(path):
    """"metrics/N/N/N.db", "logs/N/N.seg", "resources.db": one file of each is damaged."""
    return re.sub(r"\d+", "N", path)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with something of everything on disk, and what was acknowledged."""
    folder = tmp_path_factory.mktemp("written")
    load = Load(folder / "data", pause=0.005)
    load.begin()
    for _ in range(3):
        load.wait_all(load.good, time.monotonic(), 20)
        time.sleep(0.5)
    load.end()
    # Restarts and a clock ahead move what is in memory into files of every kind.
    for _ in range(2):
        assert load.server.stop() == 0
        load.server.start()
        load.server.advance(3 * 3600)
        load.server.control("DELETE", "clock")
    # And something that is in the log only when the server is killed.
    caller = crash.Caller(load.server)
    for writer in load.writers:
        for _ in range(5):
            batch = [crash.Item(*writer.make(), 1) for _ in range(writer.size())]
            writer.journal += batch
            writer.send(caller, batch)
            for item in batch:
                item.acknowledged = True
    load.compare()
    load.server.kill()
    return load


def damages(data, seed):
    dice = random.Random(seed)
    size = len(data)
    yield "a flipped byte at the start", bytes([data[0] ^ 0x40]) + data[1:]
    at = dice.randrange(size)
    yield f"a flipped byte at {at}", data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]
    at = size // 2 // 4096 * 4096
    yield f"noise at {at}", data[:at] + dice.randbytes(min(4096, size - at)) + data[at + 4096:]
    yield f"cut at {size // 2}", data[:size // 2]
    yield "nothing", b""


def files(load):
    kinds = {}
    for path in sorted(pathlib.Path(load.server.data).rglob("*")):
        if path.is_file() and path.stat().st_size > 0 and path.name != "LOCK":
            name = str(path.relative_to(load.server.data))
            if kind_of(name) not in kinds or path.stat().st_size > kinds[kind_of(name)].stat().st_size:
                kinds[kind_of(name)] = path
    return kinds


def look(load, server):
    """How much of what was acknowledged is there; raises on anything that was never written."""
    load.server = server
    caller = crash.Caller(server)
    there = total = 0
    for writer in load.writers:
        wanted = [i for i in writer.journal if i.acknowledged]
        total += len(wanted)
        try:
            found = writer.read(caller, writer.journal)
        except crash.Refused as refused:
            assert re.search(r" (4\d\d|503): ", str(refused)), refused  # the group itself is gone, say
            caller = crash.Caller(server)
            continue
        known = {item.key: item for item in writer.journal}
        for key, value in found.items():
            assert key in known, f"{writer}: {key} was never written"
            assert value == known[key].value, f"{writer}: {key} is not what was written"
        there += sum(item.key in found for item in wanted)
    return there, total


def test_damage_of_every_kind_of_file(written, tmp_path):
    kinds = files(written)
    assert {"resources.db", "wal/N.wal"} <= set(kinds), sorted(kinds)
    original = written.server
    report, opened, refused = [], 0, 0
    try:
        for kind, path in kinds.items():
            name = path.relative_to(original.data)
            for what, bytes_ in damages(path.read_bytes(), kind):
                data = tmp_path / "copy" / "data"
                shutil.rmtree(tmp_path / "copy", ignore_errors=True)
                shutil.copytree(original.data, data)
                (data / name).write_bytes(bytes_)
                server = Server(data)
                try:
                    server.start()
                except RuntimeError as ended:
                    code = server.process.wait(10)
                    assert code in (1, 2) and "fogwatch: " in str(ended), f"{kind}, {what}: {code}\n{ended}"
                    refused += 1
                    report.append(f"{kind}, {what}: refused: {server.log(300).strip().splitlines()[-1][:160]}")
                    continue
                try:
                    there, total = look(written, server)
                    assert server.is_alive(), f"{kind}, {what}: {server.log()}"
                    opened += 1
                    report.append(f"{kind}, {what}: {there} of {total} items")
                    if not kind.endswith((".wal", ".seg", "MANIFEST")) and "/" not in kind:
                        assert there > 0
                    assert server.stop() == 0
                finally:
                    server.kill()
    finally:
        written.server = original
        print("\n".join(report))
    print(f"{len(kinds)} kinds of files, {opened + refused} damages: {opened} starts, {refused} clear refusals")
    assert opened > refused * 3, report

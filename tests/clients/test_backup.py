"""`fogwatch backup`, `restore` and `check`: what was acknowledged before a backup began is in it, byte for byte,
also when eight writers go on meanwhile; what is damaged is found and named."""
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import tarfile
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "run"))
import crash  # noqa: E402
from server import Server, binary  # noqa: E402


def fogwatch(*words, code=0):
    done = subprocess.run([str(binary()), *map(str, words)], capture_output=True, text=True, timeout=80)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


class Load(crash.Crash):
    """The crash test's writers over a server of the test's own; nobody is killed."""

    def __init__(self, folder):
        self.dice = random.Random(7)
        self.folder = folder
        self.server = Server(folder / "data")
        self.stop = threading.Event()
        self.round = 0
        self.start_ms = int(time.time() * 1000) - 3_600_000
        self.first_minute = int(time.time()) // 60 * 60 - 2 * 86_400
        kinds = [crash.LogWriter] * 3 + [crash.MetricWriter] * 2 + [crash.TraceWriter] * 2 + [crash.ResourceWriter]
        self.writers = [kind(number, self) for number, kind in enumerate(kinds)]

    def begin(self):
        self.setup()
        for writer in self.writers:
            writer.start()

    def end(self):
        self.stop.set()
        for writer in self.writers:
            writer.join(30)
        assert not [w.fault for w in self.writers if w.fault]

    def compare_with(self, server, acknowledged):
        """Every item of `acknowledged` is there and equal; all else that is there was sent."""
        caller = crash.Caller(server)
        digests = {}
        for writer, wanted in zip(self.writers, acknowledged):
            assert wanted, "a writer got nothing through before the backup"
            found = writer.read(caller, wanted)
            known = {item.key: item.value for item in writer.journal}
            mine, theirs = hashlib.sha256(), hashlib.sha256()
            for item in wanted:
                assert item.key in found, f"{type(writer).__name__} {writer.number}: {item.key} is not in the backup"
                mine.update(repr(item.value).encode())
                theirs.update(repr(found[item.key]).encode())
            assert mine.digest() == theirs.digest()
            for key, value in found.items():
                assert value == known[key]
            digests[writer.number] = (len(wanted), mine.hexdigest())
        return digests


def acknowledged(writers):
    return [[item for item in list(writer.journal) if item.acknowledged] for writer in writers]


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_what_was_acknowledged_before_an_online_backup_is_in_it(tmp_path, form):
    load = Load(tmp_path)
    target = tmp_path / ("copy.tar" if form == "tar" else "copy")
    load.begin()
    try:
        time.sleep(1.5)
        before = acknowledged(load.writers)
        fogwatch("backup", target, "--data", load.server.data)
        time.sleep(0.2)
    finally:
        load.end()
    assert fogwatch("check", target).endswith("all is well.\n")
    restored = tmp_path / "restored"
    fogwatch("restore", target, "--data-dir", restored)
    assert "All is well." in fogwatch("check", restored)
    assert not [p for p in load.server.data.iterdir() if p.name.startswith(".backup")], "the links were left behind"
    load.server.stop()
    with Server(restored) as again:
        print(load.compare_with(again, before))
        crash.Caller(again).logs("CreateLogGroup", logGroupName="/later")
    with Server(restored) as again:  # reads what the first start wrote
        load.compare_with(again, before)
        groups = crash.Caller(again).logs("DescribeLogGroups")["logGroups"]
        assert sorted(g["logGroupName"] for g in groups) == [crash.GROUP, "/later"]


def filled(folder):
    """A stopped data folder with some of everything, sealed and in the log of writes."""
    with Server(folder) as server:
        caller = crash.Caller(server)
        caller.logs("CreateLogGroup", logGroupName="/a")
        caller.logs("CreateLogStream", logGroupName="/a", logStreamName="s")
        now = int(time.time() * 1000)
        for n in range(20):
            caller.logs("PutLogEvents", logGroupName="/a", logStreamName="s",
                        logEvents=[{"timestamp": now + i, "message": f"line {n} {i} {os.urandom(20).hex()}"} for i in range(200)])
            caller.metrics("PutMetricData", Namespace="N", MetricData=[{"MetricName": f"m{i}", "Value": i + n} for i in range(50)])
        key = f"1-{int(time.time()):08x}-{'0' * 23}1"
        caller.xray("/TraceSegments", TraceSegmentDocuments=[
            '{"name":"a","id":"70de5b6f19ff9a0a","trace_id":"%s","start_time":%d,"end_time":%d}' % (key, time.time() - 1, time.time())])
        caller.sns(Action="CreateTopic", Name="t")
    return folder


def test_offline_backup_round_trip_and_coreutils_agree(tmp_path):
    data = filled(tmp_path / "data")
    target = tmp_path / "copy"
    said = fogwatch("backup", target, "--data", data)
    assert "files" in said
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=target, check=True)
    assert (target / "BACKUP").read_text().startswith("fogwatch backup 1\nmade 20")
    assert all(p.stat().st_mode & 0o077 == 0 for p in target.rglob("*"))
    fogwatch("restore", target, "--data", tmp_path / "again")
    with Server(tmp_path / "again") as server:
        events = crash.Caller(server).logs("FilterLogEvents", logGroupName="/a", limit=10000)["events"]
        assert len(events) == 4000


def test_a_tar_is_read_by_tar(tmp_path):
    data = filled(tmp_path / "data")
    fogwatch("backup", tmp_path / "copy.tar", "--data", data)
    with tarfile.open(tmp_path / "copy.tar") as tar:
        names = tar.getnames()
        assert names[-2:] == ["SHA256SUMS", "BACKUP"] and "FORMAT" in names and "resources.db" in names
        tar.extractall(tmp_path / "unpacked")
    fogwatch("check", tmp_path / "unpacked")


def test_restore_and_backup_overwrite_nothing(tmp_path):
    data = filled(tmp_path / "data")
    fogwatch("backup", tmp_path / "copy", "--data", data)
    assert "never overwrites" in fogwatch("backup", tmp_path / "copy", "--data", data, code=2)
    assert "not empty" in fogwatch("restore", tmp_path / "copy", "--data", data, code=2)
    assert "not a data folder" in fogwatch("backup", tmp_path / "other", "--data", tmp_path / "nowhere", code=2)
    (tmp_path / "nothing").mkdir()
    assert "no seal" in fogwatch("restore", tmp_path / "nothing", "--data", tmp_path / "new", code=1)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("hurt", ["flip", "cut", "missing", "added", "sums", "seal"])
@pytest.mark.parametrize("form", ["folder", "tar"])
def test_a_damaged_backup_is_refused_and_nothing_is_made(tmp_path, form, hurt):
    data = filled(tmp_path / "data")
    copy = tmp_path / "copy"
    fogwatch("backup", copy, "--data", data)
    victim = next(p for p in sorted(copy.rglob("*.seg")))
    if hurt == "flip":
        text = bytearray(victim.read_bytes())
        text[len(text) // 2] ^= 1
        victim.write_bytes(text)
    elif hurt == "cut":
        victim.write_bytes(victim.read_bytes()[:-1])
    elif hurt == "missing":
        victim.unlink()
    elif hurt == "added":
        (copy / "logs/stranger").write_text("x")
    elif hurt == "sums":
        sums = (copy / "SHA256SUMS").read_text()
        (copy / "SHA256SUMS").write_text(sums.replace(sums[:64], "0" * 64, 1))
    else:
        (copy / "BACKUP").unlink()
    source = copy
    if form == "tar":
        source = tmp_path / "copy.tar"
        with tarfile.open(source, "w", format=tarfile.USTAR_FORMAT) as tar:
            for path in sorted(p for p in copy.rglob("*") if p.is_file()):
                tar.add(path, path.relative_to(copy))
    if form == "folder" and hurt == "seal":
        assert "not a data folder" not in fogwatch("restore", source, "--data", tmp_path / "new", code=1)
    else:
        assert "well" not in fogwatch("check", source, code=1)
        said = fogwatch("restore", source, "--data", tmp_path / "new", code=1)
        if hurt in ("flip", "cut", "missing"):
            assert victim.name in said
    assert sorted(p.name for p in tmp_path.iterdir() if "restor" in p.name or p.name == "new") == []


def test_a_truncated_tar_and_one_that_leads_out_are_refused(tmp_path):
    data = filled(tmp_path / "data")
    fogwatch("backup", tmp_path / "copy.tar", "--data", data)
    whole = (tmp_path / "copy.tar").read_bytes()
    for n, size in enumerate((0, 100, 512, len(whole) // 2, len(whole) - 1024)):
        cut = tmp_path / f"cut{n}.tar"
        cut.write_bytes(whole[:size])
        fogwatch("restore", cut, "--data", tmp_path / "new", code=1)
        assert not (tmp_path / "new").exists()
    (tmp_path / "evil").write_text("x")
    with tarfile.open(tmp_path / "evil.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(tmp_path / "evil", "../outside")
    assert "leads out" in fogwatch("restore", tmp_path / "evil.tar", "--data", tmp_path / "new", code=1)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("pattern", ["wal/*.wal", "logs/*/*.seg", "logs/*/MANIFEST", "metrics/*/60/*.db", "traces/2*.db", "resources.db"])
def test_check_finds_a_flipped_byte_in_every_kind_of_file(tmp_path, pattern):
    data = filled(tmp_path / "data")
    if pattern.startswith("traces") or pattern.startswith("metrics"):
        # Sealing needs time to pass: the clock is moved, which is kept in the folder.
        with Server(data) as server:
            server.advance(86_400)
    assert "All is well." in fogwatch("check", data)
    files = [p for p in sorted(data.glob(pattern)) if p.stat().st_size > 20]
    if not files:
        pytest.fail(f"nothing was written to {pattern}: {sorted(str(p) for p in data.rglob('*'))}")
    for victim in files[:1]:
        before = victim.read_bytes()
        # In the largest stretch of bytes that are not zero: free pages of a database hold nothing.
        places = [i for i in range(len(before)) if before[i]]
        text = bytearray(before)
        # SQLite has no checksums: of the resources the structure is checked, not what a document says.
        chosen = range(100, 140) if victim.name == "resources.db" else places[len(places) // 2:len(places) // 2 + 40]
        for at in chosen:
            text[at] ^= 0x55
        victim.write_bytes(text)
        said = fogwatch("check", data, code=1)
        assert "findings" in said or victim.name in said, said
        victim.write_bytes(before)
    assert "All is well." in fogwatch("check", data)


def test_a_newer_folder_is_refused_and_stays_as_it_is(tmp_path):
    data = filled(tmp_path / "data")
    (data / "FORMAT").write_text("fogwatch data 2\n")
    before = {p: p.read_bytes() for p in data.rglob("*") if p.is_file()}
    with pytest.raises(RuntimeError, match="newer version"):
        Server(data).start()
    fogwatch("check", data, code=2)
    assert {p: p.read_bytes() for p in data.rglob("*") if p.is_file()} == before
    (data / "FORMAT").write_text("fogwatch data 1\n")
    with Server(data) as server:
        assert len(crash.Caller(server).logs("FilterLogEvents", logGroupName="/a", limit=10000)["events"]) == 4000

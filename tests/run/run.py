"""Runs every test program and closes with one line, `N passed, N failed`, that counts single tests.

Suites run two at a time; each writes its output to BUILD/test-logs/ and prints one line here. What
failed is shown again at the end. A suite whose client is not on this machine is skipped with a reason.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRASH_KILLS = 100
FUZZ_SECONDS = 10  # a target; `./dev fuzz` gives each 30
SECONDS_MAX = 1500  # for one suite, unless it says otherwise

lock = threading.Lock()


class Outcome:
    """Counts of one suite, the names of what failed, and what that said where the log does not hold it."""

    def __init__(self, passed=0, failed=0, skipped=0, notes=()):
        self.passed, self.failed, self.skipped, self.notes, self.said = passed, failed, skipped, list(notes), []


class Suite:
    def __init__(self, name, command, read, *, env=None, cwd=ROOT, seconds=SECONDS_MAX, alone=False, skip=None):
        self.name, self.command, self.read = name, [str(word) for word in command], read
        self.env, self.cwd, self.seconds, self.alone, self.skip = env or {}, cwd, seconds, alone, skip


def run(suite, logs):
    """Runs one suite to its end or its time limit; the whole process group goes with it."""
    if suite.skip:
        say(f"SKIP  {suite.name}: {suite.skip}")
        return Outcome(skipped=1, notes=[f"skipped {suite.name}: {suite.skip}"])
    log = logs / (suite.name.replace("/", "_") + ".log")
    report = logs / (suite.name.replace("/", "_") + ".report")
    report.unlink(missing_ok=True)
    command = [word.replace("{report}", str(report)) for word in suite.command]
    begun = time.monotonic()
    late = False
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=suite.cwd, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **suite.env}, start_new_session=True)
        try:
            code = process.wait(suite.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code, late = process.wait(), True
    try:
        outcome = suite.read(report, code)
    except (OSError, ValueError, xml.ParseError):  # the program died before it could report
        outcome = Outcome(failed=1, notes=[f"{suite.name}: no report, exit code {code}"])
    if late:
        outcome.failed += 1
        outcome.notes.append(f"{suite.name}: stopped after {suite.seconds} s")
    elif code != 0 and not outcome.failed:
        outcome.failed += 1
        outcome.notes.append(f"{suite.name}: exit code {code}")
    seconds = time.monotonic() - begun
    say(f"{'FAIL' if outcome.failed else 'ok  '}  {suite.name}: {outcome.passed} good, {outcome.failed} bad, "
        f"{outcome.skipped} skipped, {seconds:.1f} s")
    if outcome.failed:
        text = log.read_text(errors="replace").strip() or "\n\n".join(outcome.said)
        with lock:
            print(f"----- {suite.name}: end of {log}\n{text[-6000:]}\n-----", flush=True)
    return outcome


def say(line):
    with lock:
        print(line, flush=True)


def read_exit(report, code):
    return Outcome(passed=1) if code == 0 else Outcome(failed=1, notes=[f"exit code {code}"])


def read_gtest(report, code):
    outcome = Outcome()
    for group in json.loads(report.read_text())["testsuites"]:
        for test in group["testsuite"]:
            name = f"{group['name']}.{test['name']}"
            if test.get("result") == "SKIPPED":
                outcome.skipped += 1
                outcome.notes.append(f"skipped {name}")
            elif test.get("failures"):
                outcome.failed += 1
                outcome.notes.append(name)
            elif test.get("status") == "RUN":
                outcome.passed += 1
    return outcome


def read_junit(report, code):
    """pytest's and node's JUnit files; pytest exits 5 when it collected nothing."""
    outcome = Outcome()
    # A message may hold a terminal's colours, which no XML may.
    text = "".join(c for c in report.read_text(errors="replace") if c >= " " or c in "\t\n\r")
    for case in xml.fromstring(text).iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name')}"
        fault = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
        if fault is not None:
            outcome.failed += 1
            outcome.notes.append(f"{name}: {(fault.get('message') or '')[:200]}")
            outcome.said.append(f"{name}\n{(fault.text or '').strip()[:3000]}")
        elif case.find("skipped") is not None:
            outcome.skipped += 1
            reason = case.find("skipped").get("message") or ""
            outcome.notes.append(f"skipped {name}: {reason}")
        else:
            outcome.passed += 1
    return outcome


def read_json(report, code):
    counts = json.loads(report.read_text())
    return Outcome(counts["passed"], counts["failed"], 0, counts.get("notes", ()))


def can_import(python, module):
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def suites(build):
    """Everything there is to run, in the order a reader wants to see it fail."""
    yield Suite("layers", [sys.executable, "tests/layers_test.py"], read_exit)
    for program in sorted(build.glob("test_*")):
        if program.is_file() and os.access(program, os.X_OK):
            yield Suite(program.name, [program, "--gtest_output=json:{report}", "--gtest_brief=1"], read_gtest)

    binary = build / "fogwatch"
    gone = None if binary.exists() else f"{binary} is not built"
    env = {"FOGWATCH_BINARY": str(binary), "PYTHONDONTWRITEBYTECODE": "1"}
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml={report}"]

    newest = ROOT / "build/venv/bin/python"
    reason = gone or (None if newest.exists() and can_import(newest, "boto3, pytest")
                      else "no newest boto3 (PyPI not reachable)")
    yield Suite("clients/newest-python", [newest, *pytest, "tests/clients"], read_junit, env=env, skip=reason)
    old = "/usr/bin/python3"
    reason = gone or (None if can_import(old, "boto3, pytest") else "no boto3 or pytest packaged for /usr/bin/python3")
    yield Suite("clients/distribution-python", [old, *pytest, "tests/clients"], read_junit, env=env, skip=reason)

    node = ROOT / "build/node/bin/node"
    node = str(node) if node.exists() else shutil.which("node")
    js = ROOT / "tests/clients/js"
    reason = gone or (None if node else "no node") or (
        None if (js / "node_modules").is_dir() else "npm packages not installed (registry not reachable)")
    yield Suite("clients/javascript",
                [node or "node", "--test", "--test-reporter=junit", "--test-reporter-destination={report}",
                 *sorted(str(file.relative_to(js)) for file in js.glob("*.test.mjs"))],
                read_junit, env=env, cwd=js, skip=reason)

    shippers = ROOT / "tests/clients/shippers"
    reason = gone or (None if node else "no node") or (
        None if (shippers / "node_modules").is_dir() else "npm packages not installed (registry not reachable)")
    yield Suite("clients/shippers",
                [node or "node", "--test", "--test-reporter=junit", "--test-reporter-destination={report}", "shippers.test.mjs"],
                read_junit, env=env, cwd=shippers, skip=reason)

    browser = ROOT / "tests/browser"
    if (browser / "package.json").exists():
        reason = gone or (None if node and (browser / "node_modules").is_dir() else "npm packages not installed (registry not reachable)") or (
            None if shutil.which("chromium") else "no chromium") or (
            None if (ROOT / "web/dist/index.html").exists() else "the console is not built")
        for file in sorted(browser.glob("*.test.mjs")):
            yield Suite(f"browser/{file.name.removesuffix('.test.mjs')}",
                        [node or "node", "--test", "--test-reporter=junit", "--test-reporter-destination={report}", file.name],
                        read_junit, env=env, cwd=browser, skip=reason)

    reason = gone or (None if newest.exists() and can_import(newest, "boto3, aws_xray_sdk") else "no newest boto3 (PyPI not reachable)")
    for folder in sorted({path.parent for path in (ROOT / "tests/scenarios").glob("*/test_*.py")}):
        yield Suite(f"scenarios/{folder.name}", [newest, *pytest, folder], read_junit, env=env, skip=reason)
    programs = [program for program in build.glob("fuzz_*") if program.is_file()]
    yield Suite("fuzz", [sys.executable, "tests/fuzz/run.py", "--build", build, "--seconds", FUZZ_SECONDS, "--report", "{report}"],
                read_json, skip=None if programs else "no fuzz programs are built")
    yield Suite("crash", [sys.executable, "tests/crash/crash.py", "--kills", CRASH_KILLS, "--report", "{report}"],
                read_json, env=env, alone=True, skip=gone, seconds=900)


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--build", default="build/release")
    words.add_argument("--list", action="store_true", help="name the suites and leave")
    words.add_argument("names", nargs="*", help="only suites whose name contains one of these")
    options = words.parse_args()
    build = (ROOT / options.build).resolve()
    chosen = [s for s in suites(build) if not options.names or any(name in s.name for name in options.names)]
    if options.list:
        print("\n".join(suite.name for suite in chosen))
        return 0
    logs = build / "test-logs"
    logs.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        outcomes = list(pool.map(lambda suite: run(suite, logs), (s for s in chosen if not s.alone)))
    outcomes += [run(suite, logs) for suite in chosen if suite.alone]

    skipped = [note for o in outcomes for note in o.notes if note.startswith("skipped")]
    failed = [note for o in outcomes if o.failed for note in o.notes if not note.startswith("skipped")]
    for title, notes in (("Skipped", skipped), ("Failed", failed)):
        if notes:
            print(f"\n{title}:\n  " + "\n  ".join(notes))
    print(f"\n{len(chosen)} suites in {time.monotonic() - begun:.0f} s")
    total = {key: sum(getattr(o, key) for o in outcomes) for key in ("passed", "failed", "skipped")}
    line = f"{total['passed']} passed, {total['failed']} failed"
    print(line + (f", {total['skipped']} skipped" if total["skipped"] else ""))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())

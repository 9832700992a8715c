"""Runs fuzz targets, two at a time, each for SECONDS; an input that broke one is kept beside the log.

    run.py --build BUILD [--seconds 30] [--report FILE] [TARGET...]

TARGET is a part of a target's name. Inputs that once broke a target are in regressions/TARGET/ and run first.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import seeds  # noqa: E402

SLACK_SECONDS = 120  # for seeds, and for the sanitizers' last words
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:hard_rss_limit_mb=3000:max_allocation_size_mb=2048:handle_abort=1",
              "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


def targets(build):
    for program in sorted(build.glob("fuzz_*")):
        if program.is_file() and os.access(program, os.X_OK):
            listed = subprocess.run([program, "-list"], capture_output=True, text=True, check=True).stdout
            yield from ((program, name) for name in listed.split())


def run_one(program, name, seconds, folder):
    """None when all is well, else what happened."""
    inputs = [folder / "seeds" / name, HERE / "regressions" / name]
    command = [program, name, f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", *[path for path in inputs if path.is_dir()]]
    with open(folder / f"{name}.log", "wb") as log:
        try:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
                                  timeout=seconds + SLACK_SECONDS, env={**SANITIZERS, **os.environ}).returncode
        except subprocess.TimeoutExpired:
            code = "time"
    said = (folder / f"{name}.log").read_text(errors="replace").strip()
    if name == "planted":  # the driver's own test
        found = code not in (0, "time")
        print(f"{'ok  ' if found else 'none'}  planted: the planted fault was {'found' if found else 'not found'}", flush=True)
        return None if found or "0 places" in said else "the planted fault was not found"
    if code == 0:
        print(f"ok    {said.splitlines()[-1]}", flush=True)
        return None
    note = (folder / f"{name}.input").read_bytes()
    size = struct.unpack("<I", note[:4])[0]
    kept = folder / f"{name}.failed"
    kept.write_bytes(note[4:4 + size])
    print(f"FAIL  {name}: exit {code}, input kept in {kept}\n{said[-3000:]}", flush=True)
    return f"{name}: exit {code}"


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--build", type=pathlib.Path, required=True)
    words.add_argument("--seconds", type=float, default=30)
    words.add_argument("--report", type=pathlib.Path)
    words.add_argument("names", nargs="*")
    options = words.parse_args()
    folder = options.build.resolve() / "fuzz"
    folder.mkdir(exist_ok=True)
    seeds.write(folder / "seeds")
    chosen = [(program, name) for program, name in targets(options.build.resolve())
              if not options.names or any(part in name for part in options.names)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda one: run_one(*one, options.seconds, folder), chosen))
    failed = [outcome for outcome in outcomes if outcome]
    print(f"{len(chosen) - len(failed)} of {len(chosen)} targets clean, {options.seconds:g} s each")
    if options.report:
        options.report.write_text(json.dumps({"passed": len(chosen) - len(failed), "failed": len(failed), "notes": failed}))
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())

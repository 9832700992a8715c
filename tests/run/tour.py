"""Runs the lines of the README's tour against a server on its default port and compares what they print.

In a ```console block a line that begins with `$ ` is typed and the lines below it, up to the next, must
come back. What differs from run to run (ids, times, memory) is replaced on both sides before comparing.
"""
import difflib
import pathlib
import re
import subprocess
import sys

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
VARYING = [
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"), (r"1-[0-9a-f]{8}-[0-9a-f]{24}", "TRACE"), (r"\b\d{56}\b", "TOKEN"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)?", "TIME"), (r"\b1[6-9]\d{8}(\.\d+)?\b", "SECONDS"), (r"\b1[6-9]\d{11}\b", "MILLISECONDS"),
    (r"\b\d\d/\d\d/\d\d \d\d:\d\d:\d\d\b", "DATE"),
]


def steps(text):
    """(typed line, lines expected) of all console blocks of the tour's chapter."""
    chapter = re.search(r"^## A tour.*?(?=^## )", text, re.M | re.S).group(0)
    for block in re.findall(r"^```console\n(.*?)^```", chapter, re.M | re.S):
        typed, expected = None, []
        for line in block.splitlines():
            if line.startswith("$ "):
                if typed:
                    yield typed, expected
                typed, expected = line[2:], []
            elif line.startswith("> "):
                typed += "\n" + line[2:]
            else:
                expected.append(line)
        if typed:
            yield typed, expected


def plain(lines):
    out = []
    for line in lines:
        for pattern, word in VARYING:
            line = re.sub(pattern, word, line)
        out.append(line.rstrip())
    return [line for line in out if line]


def main():
    shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wrong = count = 0
    for typed, expected in steps(README.read_text()):
        shell.stdin.write(f"{typed}\necho; echo '=== end'\n")
        shell.stdin.flush()
        got = []
        for line in shell.stdout:
            if line == "=== end\n":
                break
            got.append(line.rstrip("\n"))
        count += 1
        if plain(got) != plain(expected):
            wrong += 1
            print(f"$ {typed}")
            print("\n".join(difflib.unified_diff(plain(expected), plain(got), "README", "printed", lineterm="")))
    shell.stdin.close()
    shell.wait()
    print(f"tour: {count - wrong} of {count} lines print what the README says")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())

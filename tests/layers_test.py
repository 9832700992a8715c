"""Arrows point one way: server -> api -> query -> storage -> storage/base, and no room looks sideways."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RANK = {"base": 0, "storage": 1, "query": 2, "api": 3, "server": 4}
SHARED_API = {"common", "codec", "auth", "gen"}  # rooms every service of api may enter
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
BEAST = re.compile(r"^\s*#\s*include\s+<boost/(beast|asio)", re.M)


def room(path: str) -> str:
    if path.startswith("storage/base/"):
        return "base"
    return path.split("/")[0]


def faults():
    for name in ("storage", "query", "api", "server"):
        for file in sorted((ROOT / name).rglob("*")):
            if file.suffix not in (".h", ".cc"):
                continue
            here = file.relative_to(ROOT).as_posix()
            text = file.read_text()
            if BEAST.search(text) and not here.startswith("server/"):
                yield f"{here}: sockets belong in server/"
            for target in INCLUDE.findall(text):
                there = room(target)
                if there not in RANK:
                    continue
                if RANK[there] > RANK[room(here)]:
                    yield f"{here}: includes upward: {target}"
                if name == "api" and there == "api":
                    own, other = here.split("/")[1], target.split("/")[1]
                    if other != own and other not in SHARED_API:
                        yield f"{here}: includes sideways: {target}"


found = list(faults())
print("\n".join(found) if found else "layers: all includes point downward")
sys.exit(1 if found else 0)

"""Turns the console's built assets (web/dist) into a C++ source of compressed blobs. Run by CMake.

usage: embed.py DIST OUTPUT     without DIST/index.html the table is empty: a server without console
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".woff2": "font/woff2",
    ".png": "image/png",
}


def literal(data: bytes) -> str:
    lines = []
    for at in range(0, len(data), 64):
        lines.append('"' + "".join(f"\\{byte:03o}" for byte in data[at : at + 64]) + '"')
    return "\n".join(lines) or '""'


def main() -> None:
    dist, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    rows = []
    files = sorted(p for p in dist.rglob("*") if p.is_file()) if (dist / "index.html").exists() else []
    for file in files:
        kind = TYPES.get(file.suffix)
        if kind is None:
            continue
        raw = file.read_bytes()
        packed = gzip.compress(raw, 9, mtime=0)
        name = file.relative_to(dist).as_posix()
        # Names under assets/ carry a hash of their content and never change.
        fixed = "true" if name.startswith("assets/") else "false"
        tag = hashlib.sha256(raw).hexdigest()[:16]
        rows.append(f'    {{"{name}", "{kind}", "\\"{tag}\\"", {fixed},\n     std::string_view({literal(packed)}, {len(packed)})}},')
    body = "\n".join(rows)
    text = f"""// Written by web/embed.py.
#include <array>

#include "server/console.h"

namespace fog {{
namespace {{
const std::array<ConsoleAsset, {len(rows)}> kAssets{{{{
{body}
}}}};
}}  // namespace
std::span<const ConsoleAsset> console_assets() {{ return kAssets; }}
}}  // namespace fog
"""
    output.parent.mkdir(parents=True, exist_ok=True)
    if not output.exists() or output.read_text() != text:
        output.write_text(text)


main()

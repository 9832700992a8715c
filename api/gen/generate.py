"""Writes a header and a source of shapes from one IDL file.

    generate.py IDL FOLDER      # writes FOLDER/<room>/<file>.h and .cc for api/<room>/<file>.idl

The notation is described in api/gen/README.md. Standard library only.
"""
import pathlib
import sys

from emit import header, source
from idl import parse


def write(path: str, text: str) -> None:
    """Leaves the file's time alone when nothing changed, so that nothing is rebuilt."""
    file = pathlib.Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


if __name__ == "__main__":
    model = parse(sys.argv[1])
    idl = pathlib.Path(sys.argv[1])
    place = f"api/{idl.parent.name}/{idl.stem}"
    write(f"{sys.argv[2]}/{place}.h", header(model, place))
    write(f"{sys.argv[2]}/{place}.cc", source(model, place))

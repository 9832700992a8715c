"""Reads shapes.idl into a Model. The notation is described in README.md beside this file."""
import dataclasses
import pathlib

SCALARS = {"boolean", "integer", "long", "double", "string", "blob", "timestamp"}
STRUCTURES = {"struct", "union", "stream", "error"}


@dataclasses.dataclass
class Member:
    name: str
    shape: str
    required: bool


@dataclasses.dataclass
class Shape:
    name: str
    kind: str  # a scalar, enum, list, map, struct, union, stream, error
    members: list = dataclasses.field(default_factory=list)
    values: list = dataclasses.field(default_factory=list)  # enum
    element: str = ""  # list; value of a map
    key: str = ""
    minimum: str = ""
    maximum: str = ""
    pattern: str = ""
    sensitive: bool = False
    entries: tuple = ("key", "value")
    code: str = ""  # of errors; of flattened lists and maps: the name of one entry in the query protocol
    status: int = 400
    sender: bool = True
    imported: bool = False


@dataclasses.dataclass
class Operation:
    name: str
    path: str = ""
    input: str = ""
    output: str = ""
    errors: list = dataclasses.field(default_factory=list)
    streaming: bool = False
    deprecated: bool = False
    body_max: int = 0  # bytes as received; 0: the server's limit only


@dataclasses.dataclass
class Model:
    name: str = ""
    properties: dict = dataclasses.field(default_factory=dict)
    operations: list = dataclasses.field(default_factory=list)
    shapes: dict = dataclasses.field(default_factory=dict)
    imports: list = dataclasses.field(default_factory=list)  # stems of files of the same folder


def constraints(shape: Shape, words: list) -> None:
    while words:
        word = words.pop(0)
        if ".." in word:
            shape.minimum, shape.maximum = word.split("..")
        elif word == "sensitive":
            shape.sensitive = True
        elif word == "flat":
            shape.code = words.pop(0)
        elif word == "entries":
            shape.entries = (words.pop(0), words.pop(0))
        else:
            raise ValueError(f"{shape.name}: what is '{word}'?")


def parse_shape(kind: str, line: str) -> Shape:
    line, _, pattern = line.partition(" pattern ")
    words = line.split()[1:]
    shape = Shape(words.pop(0), kind, pattern=pattern)
    if kind == "enum":
        shape.values, words = words, []
    elif kind == "list":
        assert words.pop(0) == "of", line
        shape.element = words.pop(0)
    elif kind == "map":
        assert words.pop(0) == "of", line
        shape.key = words.pop(0)
        assert words.pop(0) == "to", line
        shape.element = words.pop(0)
    elif kind == "error":
        shape.code = shape.name
        if words[0] == "code":
            shape.code = words[1]
            words = words[2:]
        shape.status = int(words[0])
        shape.sender = "receiver" not in words
        words = []
    constraints(shape, words)
    return shape


def parse_operation(line: str) -> Operation:
    left, right = line.split(" -> ")
    words = left.split()[1:]
    operation = Operation(words[0], input=words[-1], path=words[1] if len(words) == 3 else "")
    flags = right.split()
    operation.output = "" if flags[0] == "-" else flags[0]
    operation.streaming = "stream" in flags
    operation.deprecated = "deprecated" in flags
    if "body-max" in flags:
        operation.body_max = int(flags[flags.index("body-max") + 1])
    return operation


def parse(path: str) -> Model:
    model = Model()
    current = None
    for number, raw in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        if not raw.strip() or raw.startswith("#"):
            continue
        try:
            if raw.startswith("  "):
                words = raw.split()
                if isinstance(current, Shape):
                    required = words[0].endswith("!")
                    current.members.append(Member(words[0].rstrip("!"), words[1], required))
                elif isinstance(current, Operation):
                    assert words[0] == "errors", raw
                    current.errors = words[1:]
                else:
                    model.properties[words[0]] = " ".join(words[1:]) or "yes"
                continue
            kind = raw.split()[0]
            if kind == "service":
                model.name = raw.split()[1]
            elif kind == "import":
                other = parse(str(pathlib.Path(path).parent / raw.split()[1]))
                model.imports.append(pathlib.Path(raw.split()[1]).stem)
                for name, shape in other.shapes.items():
                    shape.imported = True
                    model.shapes[name] = shape
            elif kind == "operation":
                current = parse_operation(raw)
                model.operations.append(current)
            elif kind in SCALARS | STRUCTURES | {"enum", "list", "map"}:
                current = parse_shape(kind, raw)
                assert current.name not in model.shapes, "named twice"
                model.shapes[current.name] = current
            else:
                raise ValueError(f"what is '{kind}'?")
        except (AssertionError, ValueError, IndexError) as error:
            raise SystemExit(f"{path}:{number}: {error}")
    for shape in model.shapes.values():
        for name in [m.shape for m in shape.members] + [n for n in (shape.element, shape.key) if n]:
            if name not in model.shapes:
                raise SystemExit(f"{path}: {shape.name} uses {name}, which is not described")
    return model

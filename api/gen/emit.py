"""Turns a Model into C++: plain structs (header) and constant tables (source)."""
import re

from idl import STRUCTURES, Model, Shape

KEYWORDS = set("""alignas alignof and asm auto bool break case catch char class compl concept const
    continue default delete do double else enum explicit export extern false float for friend goto if
    inline int long mutable namespace new not operator or private protected public register requires
    return short signed sizeof static struct switch template this throw true try typedef typeid
    typename union unsigned using virtual void volatile while xor""".split())
SCALAR_TYPES = {"boolean": "bool", "integer": "std::int32_t", "long": "std::int64_t", "double": "double",
                "string": "std::string", "blob": "std::string", "timestamp": "::fog::Timestamp"}
INITIAL = {"boolean": "false", "integer": "0", "long": "0", "double": "0"}


def snake(name: str) -> str:
    """TopicARNs -> topic_arns, KMSKeyId -> kms_key_id, OTelX -> otel_x; a keyword gets a final _."""
    name = name.replace("OTel", "Otel")
    name = re.sub(r"([A-Z]{2,})s(?=[A-Z]|$)", lambda m: m.group(1).capitalize() + "s", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = name.replace("-", "_").lower()
    return name + "_" if name in KEYWORDS else name


def enumerator(value: str) -> str:
    name = re.sub(r"\W", "_", value)
    return name + "_" if name in KEYWORDS else name


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("??", "?\\?") + '"'


def has_struct(shape: Shape) -> bool:
    return shape.kind in STRUCTURES


class Types:
    """C++ types of a model, and the order in which structs can be written."""

    def __init__(self, model: Model):
        self.model = model
        self.order = []
        self.shared = set()  # (struct, member) pairs that close a cycle
        state = {}
        for shape in model.shapes.values():
            if has_struct(shape):
                self.visit(shape, state)

    def target(self, name: str) -> Shape:
        """The shape at the bottom of lists and maps."""
        shape = self.model.shapes[name]
        return self.target(shape.element) if shape.kind in ("list", "map") else shape

    def visit(self, shape: Shape, state: dict) -> None:
        if shape.name in state:
            return
        state[shape.name] = "open"
        for member in shape.members:
            below = self.target(member.shape)
            if has_struct(below):
                if state.get(below.name) == "open":
                    if self.model.shapes[member.shape].kind in ("list", "map"):
                        continue  # a vector of an incomplete type is fine
                    self.shared.add((shape.name, member.name))
                else:
                    self.visit(below, state)
        state[shape.name] = "done"
        self.order.append(shape)

    def cpp(self, name: str) -> str:
        shape = self.model.shapes[name]
        if shape.kind in SCALAR_TYPES:
            return SCALAR_TYPES[shape.kind]
        if shape.kind == "list":
            return f"std::vector<{self.cpp(shape.element)}>"
        if shape.kind == "map":
            return f"std::map<std::string, {self.cpp(shape.element)}>"
        return shape.name[0].upper() + shape.name[1:]

    def members(self, shape: Shape):
        """(wire name, field, shape name, presence, required, C++ type) of every member."""
        rows = []
        for member in shape.members:
            kind = self.model.shapes[member.shape].kind
            cpp = self.cpp(member.shape)
            if shape.kind == "error" and member.name.lower() == "message":
                rows.append((member.name, "message", member.shape, "kPlain", False, cpp))
            elif (shape.name, member.name) in self.shared:
                rows.append((member.name, snake(member.name), member.shape, "kShared", member.required,
                             f"std::shared_ptr<{cpp}>"))
            elif member.required and shape.kind not in ("union", "stream"):
                rows.append((member.name, snake(member.name), member.shape, "kPlain", True, cpp))
            else:
                rows.append((member.name, snake(member.name), member.shape, "kOptional", False,
                             f"std::optional<{cpp}>"))
        if shape.kind == "error" and all(r[1] != "message" for r in rows):
            rows.insert(0, ("message", "message", "", "kPlain", False, "std::string"))
        # Codecs keep "seen" in 64 bits and read a member's name within the padding of a body.
        if len(rows) > 64 or any(len(r[0]) > 60 for r in rows):
            raise SystemExit(f"{shape.name}: more than 64 members, or a name longer than 60")
        fields = [r[1] for r in rows]
        if len(set(fields)) != len(fields):
            raise SystemExit(f"{shape.name}: two members become one field: {fields}")
        return rows


def header(model: Model, place: str) -> str:
    types = Types(model)
    operations = {o.input: o for o in model.operations}
    room = place.rsplit("/", 1)[0]
    out = [f"// Shapes of {model.name}, from {place}.idl. Generated.",
           "#pragma once", "", "#include <cstdint>", "#include <map>", "#include <memory>",
           "#include <optional>", "#include <string>", "#include <string_view>", "#include <vector>", "",
           *[f'#include "{room}/{stem}.h"' for stem in model.imports],
           '#include "storage/base/clock.h"', "", "namespace fog {", "",
           "struct Empty;", "struct OperationInfo;", "struct ServiceInfo;", "struct Shape;", "",
           f"namespace {model.name} {{", ""]
    if model.properties:
        out += ["extern const ::fog::ServiceInfo kService;", ""]
    own = [s for s in types.order if not s.imported]
    for shape in model.shapes.values():
        if shape.kind == "enum" and not shape.imported:
            name = types.cpp(shape.name)
            names = [enumerator(v) for v in shape.values]
            if len(set(names)) != len(names):
                raise SystemExit(f"{shape.name}: two values become one enumerator: {names}")
            out += [f"enum class {name} : std::uint16_t {{ {', '.join(names)} }};",
                    f"std::string_view to_string({name} value);",
                    f"bool from_string(std::string_view text, {name}& out);", ""]
    for shape in own:
        out.append(f"struct {types.cpp(shape.name)};")
    out.append("")
    for shape in own:
        name = types.cpp(shape.name)
        out.append(f"struct {name} {{")
        for _, field, target, presence, _, cpp in types.members(shape):
            kind = model.shapes[target].kind if target else "string"
            initial = INITIAL.get(kind, "") if presence == "kPlain" else ""
            out.append(f"  {cpp} {field}{{{initial}}};")
        out.append("")
        out.append("  static const ::fog::Shape kShape;")
        if shape.name in operations:
            operation = operations[shape.name]
            output = types.cpp(operation.output) if operation.output else "::fog::Empty"
            out.append("  static const ::fog::OperationInfo kOperation;")
            out.append(f"  using Output = {output};")
        out.append(f"  friend bool operator==(const {name}&, const {name}&) = default;")
        out += ["};", ""]
    out += [f"}}  // namespace {model.name}", "}  // namespace fog", ""]
    return "\n".join(out)


def table_name(name: str) -> str:
    return "shape_" + name


def shape_row(model: Model, types: Types, shape: Shape, extra: list) -> list:
    kinds = {"boolean": "kBoolean", "integer": "kInteger", "long": "kLong", "double": "kDouble",
             "string": "kString", "blob": "kBlob", "timestamp": "kTimestamp", "enum": "kEnum",
             "list": "kList", "map": "kMap"}
    rows = [f".name = {quoted(shape.name)}", f".kind = Kind::{kinds.get(shape.kind, 'kStruct')}"]
    if shape.kind in ("union", "stream"):
        rows.append(".is_union = true")
    if shape.kind == "stream":
        rows.append(".is_event_stream = true")
    if shape.kind == "error":
        rows.append(".is_error = true")
    if shape.sensitive:
        rows.append(".is_sensitive = true")
    if shape.kind == "error":
        rows.append(f".is_sender_fault = {'true' if shape.sender else 'false'}")
        rows.append(f".error_status = {shape.status}")
    if shape.kind == "enum":
        values = ", ".join(quoted(v) for v in shape.values)
        extra.append(f"constexpr std::string_view values_{shape.name}[] = {{{values}}};")
        rows.append(f".enum_count = {len(shape.values)}")
    members = types.members(shape) if has_struct(shape) else []
    if members:
        cpp = types.cpp(shape.name)
        extra.append(f"constexpr Member members_{shape.name}[] = {{")
        for wire, field, target, presence, required, full in members:
            slot = "nullptr"
            if presence == "kOptional":
                slot = f"&kOptionalSlot<{types.cpp(target)}>"
            elif presence == "kShared":
                slot = f"&kSharedSlot<{types.cpp(target)}>"
            table = f"&{table_name(target)}" if target else "&shape_fog_message"
            extra.append(f"    {{{quoted(wire)}, {table}, {slot}, offsetof({cpp}, {field}), "
                         f"Presence::{presence}, {'true' if required else 'false'}}},")
        extra.append("};")
        rows.append(f".member_count = {len(members)}")
        mask = sum(1 << i for i, m in enumerate(members) if m[4])
        if mask:
            rows.append(f".required_mask = {mask:#x}")
        rows.append(f".members = members_{shape.name}")
    if shape.kind == "enum":
        rows.append(f".enum_values = values_{shape.name}")
    if shape.element:
        rows.append(f".element = &{table_name(shape.element)}")
    if shape.key:
        rows.append(f".key = &{table_name(shape.key)}")
    if shape.kind == "list":
        rows.append(f".list = &kRoomyListOps<{types.cpp(shape.element)}>")
    if shape.kind == "map":
        rows.append(f".map = &kMapOps<{types.cpp(shape.element)}>")
    if has_struct(shape):
        rows.append(f".structure = &kStructOps<{types.cpp(shape.name)}>")
    if shape.minimum or shape.maximum:
        rows.append(f".bounds = {{{'true' if shape.minimum else 'false'}, "
                    f"{'true' if shape.maximum else 'false'}, {shape.minimum or 0}, {shape.maximum or 0}}}")
    if shape.pattern:
        rows.append(f".pattern = {quoted(shape.pattern)}")
    if shape.code:
        rows.append(f".error_code = {quoted(shape.code)}")
    if shape.entries != ("key", "value"):
        rows.append(f".entry_key = {quoted(shape.entries[0])}")
        rows.append(f".entry_value = {quoted(shape.entries[1])}")
    return rows


def source(model: Model, place: str) -> str:
    types = Types(model)
    out = [f"// Tables of {model.name}, from {place}.idl. Generated.",
           f'#include "{place}.h"', "", "#include <cstddef>", "",
           '#include "api/common/list_room.h"', '#include "api/common/operation.h"', '#include "api/common/shape.h"', "",
           '#pragma GCC diagnostic ignored "-Winvalid-offsetof"', "",
           f"namespace fog::{model.name} {{", "namespace {", "",
           '[[maybe_unused]] constexpr Shape shape_fog_message = {.name = "String", .kind = Kind::kString};']
    # Structs own their table as a static member; the others stand here, named before they are used.
    for shape in types.order:
        out.append("[[maybe_unused]] "
                   f"constexpr const Shape& {table_name(shape.name)} = {types.cpp(shape.name)}::kShape;")
    extra, definitions, done = [], [], set()

    def define(shape: Shape) -> None:
        if shape.name in done or has_struct(shape):
            return
        done.add(shape.name)
        for below in (shape.element, shape.key):
            if below:
                define(model.shapes[below])
        rows = shape_row(model, types, shape, extra)
        definitions.append(f"[[maybe_unused]] constexpr Shape {table_name(shape.name)} = {{{', '.join(rows)}}};")

    if not model.imports:
        for shape in model.shapes.values():
            define(shape)
    for shape in types.order:
        for member in shape.members if not shape.imported else []:
            define(model.shapes[member.shape])
    out += extra + definitions
    extra = []
    structs = []
    for shape in (s for s in types.order if not s.imported):
        rows = shape_row(model, types, shape, extra)
        structs.append(f"constinit const Shape {types.cpp(shape.name)}::kShape = {{{', '.join(rows)}}};")
    out += extra
    for operation in model.operations:
        if operation.errors:
            names = ", ".join("&" + table_name(e) for e in operation.errors)
            out.append(f"constexpr const Shape* errors_{operation.name}[] = {{{names}}};")
    names = ", ".join(f"&{types.cpp(o.input)}::kOperation" for o in model.operations)
    if model.properties:
        out.append(f"constexpr const OperationInfo* kOperations[] = {{{names}}};")
    out += ["", "}  // namespace", ""]
    out += structs
    for operation in model.operations:
        errors = f"errors_{operation.name}" if operation.errors else "{}"
        output = f"&{table_name(operation.output)}" if operation.output else "nullptr"
        out.append(
            f"constinit const OperationInfo {types.cpp(operation.input)}::kOperation = {{&kService, "
            f"{quoted(operation.name)}, {quoted(operation.path)}, &{table_name(operation.input)}, {output}, "
            f"{errors}, {'true' if operation.streaming else 'false'}, "
            f"{'true' if operation.deprecated else 'false'}, {operation.body_max}}};")
    p = model.properties
    if p:
        out.append("constinit const ServiceInfo kService = {" + ", ".join(
            quoted(text) for text in (model.name, p["id"], p["signing"], p.get("target", ""), p["version"],
                                      p.get("xmlns", ""), p["namespace"]))
            + f", {'true' if 'query-compatible' in p else 'false'}, kOperations}};")
    for shape in model.shapes.values():
        if shape.kind == "enum" and not shape.imported:
            name = types.cpp(shape.name)
            out += [f"std::string_view to_string({name} value) {{",
                    f"  return values_{shape.name}[static_cast<std::uint16_t>(value)];", "}",
                    f"bool from_string(std::string_view text, {name}& out) {{",
                    f"  for (std::uint16_t i = 0; i < {len(shape.values)}; ++i)",
                    f"    if (values_{shape.name}[i] == text) return out = static_cast<{name}>(i), true;",
                    "  return false;", "}"]
    out += ["", f"}}  // namespace fog::{model.name}", ""]
    return "\n".join(out)

#include "tests/fuzz/mutate/tree.h"

#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "api/codec/query.h"
#include "api/codec/text.h"

namespace fog::fuzz {
namespace {

std::string text_of(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return fmt::format("{}", value);
}

std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(bytes, out);
  return out;
}

void quote(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void json(const Tree& tree, std::string& out) {
  switch (tree.kind) {
    case Tree::Kind::kNull: out += "null"; break;
    case Tree::Kind::kBool: out += tree.integer != 0 ? "true" : "false"; break;
    case Tree::Kind::kInt: out += std::to_string(tree.integer); break;
    case Tree::Kind::kTime: out += fmt::format("{}", static_cast<double>(tree.integer) / 1000); break;
    case Tree::Kind::kDouble: std::isfinite(tree.number) ? out += text_of(tree.number) : out += '"' + text_of(tree.number) + '"'; break;
    case Tree::Kind::kText: quote(tree.text, out); break;
    case Tree::Kind::kBytes: quote(base64(tree.text), out); break;
    case Tree::Kind::kList:
      out += '[';
      for (std::size_t i = 0; i < tree.items.size(); ++i) {
        if (i > 0) out += ',';
        json(tree.items[i], out);
      }
      out += ']';
      break;
    case Tree::Kind::kMap:
      out += '{';
      for (std::size_t i = 0; i < tree.members.size(); ++i) {
        if (i > 0) out += ',';
        quote(tree.members[i].first, out);
        out += ':';
        json(tree.members[i].second, out);
      }
      out += '}';
      break;
  }
}

void cbor_head(int major, std::uint64_t value, std::string& out) {
  const int bytes = value < 24 ? 0 : value < 256 ? 1 : value < 65536 ? 2 : value < (std::uint64_t{1} << 32) ? 4 : 8;
  const int low = bytes == 0 ? static_cast<int>(value) : bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27;
  out += static_cast<char>(major << 5 | low);
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
}

void cbor_double(double value, std::string& out) {
  out += static_cast<char>(0xfb);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (int i = 7; i >= 0; --i) out += static_cast<char>(bits >> (8 * i));
}

void cbor(const Tree& tree, std::string& out) {
  switch (tree.kind) {
    case Tree::Kind::kNull: out += static_cast<char>(0xf6); break;
    case Tree::Kind::kBool: out += static_cast<char>(tree.integer != 0 ? 0xf5 : 0xf4); break;
    case Tree::Kind::kInt:
      tree.integer < 0 ? cbor_head(1, static_cast<std::uint64_t>(-1 - tree.integer), out)
                       : cbor_head(0, static_cast<std::uint64_t>(tree.integer), out);
      break;
    case Tree::Kind::kTime:
      cbor_head(6, 1, out);
      cbor_double(static_cast<double>(tree.integer) / 1000, out);
      break;
    case Tree::Kind::kDouble: cbor_double(tree.number, out); break;
    case Tree::Kind::kText:
    case Tree::Kind::kBytes:
      cbor_head(tree.kind == Tree::Kind::kText ? 3 : 2, tree.text.size(), out);
      out += tree.text;
      break;
    case Tree::Kind::kList:
      cbor_head(4, tree.items.size(), out);
      for (const Tree& item : tree.items) cbor(item, out);
      break;
    case Tree::Kind::kMap:
      cbor_head(5, tree.members.size(), out);
      for (const auto& [name, member] : tree.members) {
        cbor_head(3, name.size(), out);
        out += name;
        cbor(member, out);
      }
      break;
  }
}

std::string iso(std::int64_t ms) {
  std::string out;
  append_iso8601(from_ms(ms), out);
  return out;
}

}  // namespace

Tree* Tree::find(std::string_view name) {
  for (auto& [key, member] : members)
    if (key == name) return &member;
  return nullptr;
}

void Tree::erase(std::string_view name) {
  std::erase_if(members, [&](const auto& member) { return member.first == name; });
}

std::string to_json(const Tree& tree) {
  std::string out;
  json(tree, out);
  return out;
}

std::string to_cbor(const Tree& tree) {
  std::string out;
  cbor(tree, out);
  return out;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

void to_form(const Tree& tree, const Shape* shape, const std::string& prefix, std::string& out) {
  const auto put = [&](std::string_view value) {
    if (!out.empty()) out += '&';
    out += prefix;
    out += '=';
    out += percent_encode(value);
  };
  switch (tree.kind) {
    case Tree::Kind::kNull: break;
    case Tree::Kind::kBool: put(tree.integer != 0 ? "true" : "false"); break;
    case Tree::Kind::kInt: put(std::to_string(tree.integer)); break;
    case Tree::Kind::kTime: put(iso(tree.integer)); break;
    case Tree::Kind::kDouble: put(text_of(tree.number)); break;
    case Tree::Kind::kText: put(tree.text); break;
    case Tree::Kind::kBytes: put(base64(tree.text)); break;
    case Tree::Kind::kList: {
      if (tree.items.empty()) put("");
      const Shape* element = shape != nullptr && shape->kind == Kind::kList ? shape->element : nullptr;
      for (std::size_t i = 0; i < tree.items.size(); ++i)
        to_form(tree.items[i], element, fmt::format("{}.{}{}", prefix, element != nullptr && !flat_name(*shape).empty() ? "" : "member.", i + 1), out);
      break;
    }
    case Tree::Kind::kMap: {
      if (tree.members.empty() && !prefix.empty()) put("");
      if (shape != nullptr && shape->kind == Kind::kMap) {
        const bool flat = !flat_name(*shape).empty();
        for (std::size_t i = 0; i < tree.members.size(); ++i) {
          const std::string entry = fmt::format("{}.{}{}.", prefix, flat ? "" : "entry.", i + 1);
          to_form(Tree::of(tree.members[i].first), nullptr, entry + std::string(shape->entry_key), out);
          to_form(tree.members[i].second, shape->element, entry + std::string(shape->entry_value), out);
        }
        break;
      }
      const std::string before = prefix.empty() ? "" : prefix + '.';
      for (const auto& [name, member] : tree.members) {
        const Shape* below = nullptr;
        std::string shown = name;
        if (shape != nullptr && shape->kind == Kind::kStruct) {
          std::size_t hint = 0;
          if (const Member* known = find_member(*shape, name, hint)) {
            below = known->shape;
            if (!flat_name(*below).empty()) shown = flat_name(*below);
          }
        }
        to_form(member, below, before + shown, out);
      }
      break;
    }
  }
}

}  // namespace fog::fuzz

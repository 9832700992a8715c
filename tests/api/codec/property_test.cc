// Every structure of the four services, filled at random, must survive encoding and decoding in
// every format. A fixed seed; a failure prints the shape.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <cmath>
#include <cstring>
#include <set>

#include "api/cloudwatch/shapes.h"
#include "api/codec/cbor.h"
#include "api/codec/json.h"
#include "api/codec/query.h"
#include "api/common/operation.h"
#include "api/logs/shapes.h"
#include "api/sns/shapes.h"
#include "api/xray/shapes.h"
#include "storage/base/random.h"
#include "tests/api/codec/dynamic.h"
#include "tests/api/codec/xml.h"

namespace fog::test {
namespace {

constexpr int kDepth = 6;

class Filler {
 public:
  explicit Filler(std::uint64_t seed) : random_(seed) {}

  std::string text(bool is_key) {
    static constexpr const char* kPieces[] = {"a", "Z9", "\"", "\\", "\n", "\r\n", "\t", "\x01", "\x1f", "é", "日本", "😀", "&<>'", " ", "%2B+", ".", "="};
    std::string out;
    const std::uint64_t n = random_.next() % 12;
    for (std::uint64_t i = 0; i < n; ++i) out += kPieces[random_.next() % std::size(kPieces)];
    if (is_key) out += std::to_string(random_.next() % 1000);
    if (xml_safe_) std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r'; });
    return out;
  }

  void fill(const Shape& shape, void* out, int depth) {
    switch (shape.kind) {
      case Kind::kBoolean: *static_cast<bool*>(out) = (random_.next() & 1) != 0; break;
      case Kind::kInteger: *static_cast<std::int32_t*>(out) = static_cast<std::int32_t>(random_.next() >> (random_.next() % 32)); break;
      case Kind::kLong: *static_cast<std::int64_t*>(out) = static_cast<std::int64_t>(random_.next() >> (random_.next() % 64)); break;
      case Kind::kDouble: *static_cast<double*>(out) = real(); break;
      case Kind::kString: *static_cast<std::string*>(out) = text(false); break;
      case Kind::kBlob: {
        auto& bytes = *static_cast<std::string*>(out);
        for (std::uint64_t n = random_.next() % 9; n > 0; --n) bytes.push_back(static_cast<char>(random_.next()));
        break;
      }
      case Kind::kTimestamp: *static_cast<Timestamp*>(out) = from_ms(static_cast<std::int64_t>(random_.next() % 4102444800000)); break;
      case Kind::kEnum: {
        const auto i = static_cast<std::uint16_t>(random_.next() % shape.enum_count);
        std::memcpy(out, &i, sizeof i);
        break;
      }
      case Kind::kList:
        for (std::uint64_t n = count(depth); n > 0; --n) fill(*shape.element, shape.list->append(shape, out), depth - 1);
        break;
      case Kind::kMap:
        for (std::uint64_t n = count(depth); n > 0; --n) fill(*shape.element, shape.map->insert(shape, out, text(true)), depth - 1);
        break;
      case Kind::kStruct: {
        const std::uint64_t only = shape.is_union && shape.member_count > 0 ? random_.next() % shape.member_count : 0;
        for (std::size_t i = 0; i < shape.member_count; ++i) {
          const Member& member = shape.members[i];
          if (shape.is_union ? i != only : member.presence != Presence::kPlain && (depth <= 0 || random_.next() % 3 == 0)) continue;
          fill(*member.shape, emplace(member, out), depth - 1);
        }
        break;
      }
    }
  }

  bool xml_safe_ = false;
  bool no_empty_ = false;

 private:
  std::uint64_t count(int depth) { return depth <= 0 ? (no_empty_ ? 1 : 0) : random_.next() % 3 + (no_empty_ ? 1 : 0); }
  double real() {
    switch (random_.next() % 6) {
      case 0: return 0;
      case 1: return static_cast<double>(static_cast<std::int64_t>(random_.next() >> 30));
      case 2: return HUGE_VAL;
      case 3: return -1.5e-300;
      default: {
        const std::uint64_t bits = random_.next();
        double out = 0;
        std::memcpy(&out, &bits, sizeof out);
        return std::isfinite(out) ? out : 0.1;
      }
    }
  }
  SeededRandom random_;
};

void collect(const Shape* shape, std::set<const Shape*>& out) {
  if (shape == nullptr || !out.insert(shape).second) return;
  for (std::size_t i = 0; i < shape->member_count; ++i) collect(shape->members[i].shape, out);
  collect(shape->element, out);
  collect(shape->key, out);
}

std::vector<const Shape*> all_structures(const ServiceInfo& service) {
  std::set<const Shape*> shapes;
  for (const OperationInfo* operation : service.operations) {
    collect(operation->input, shapes);
    collect(operation->output, shapes);
    for (const Shape* error : operation->errors) collect(error, shapes);
  }
  std::vector<const Shape*> out;
  for (const Shape* shape : shapes)
    if (shape->kind == Kind::kStruct) out.push_back(shape);
  return out;
}

const ServiceInfo* const kServices[] = {&cloudwatch::kService, &logs::kService, &xray::kService, &sns::kService};

template <typename Check>
void every_structure(Check&& check) {
  int n = 0;
  for (const ServiceInfo* service : kServices) {
    for (const Shape* shape : all_structures(*service)) {
      for (std::uint64_t seed = 0; seed < 8; ++seed) check(*shape, seed);
      ++n;
    }
  }
  EXPECT_GT(n, 700);
}

TEST(EveryShape, all_248_operations_are_described) {
  std::size_t n = 0;
  for (const ServiceInfo* service : kServices) n += service->operations.size();
  EXPECT_EQ(n, 248u);
}

// A pattern that does not compile would silently not be checked.
TEST(EveryShape, has_a_pattern_that_can_be_run_or_none) {
  int n = 0;
  for (const ServiceInfo* service : kServices) {
    std::set<const Shape*> shapes;
    for (const OperationInfo* operation : service->operations) collect(operation->input, shapes);
    for (const Shape* shape : shapes) {
      if (shape->pattern.empty()) continue;
      const RE2 pattern(re2::StringPiece(shape->pattern.data(), shape->pattern.size()));
      EXPECT_TRUE(pattern.ok()) << shape->name << ": " << pattern.error();
      ++n;
    }
  }
  EXPECT_GT(n, 40);
}

TEST(EveryShape, survives_json) {
  every_structure([](const Shape& shape, std::uint64_t seed) {
    Value given(shape), back(shape);
    Filler(seed).fill(shape, given.get(), kDepth);
    std::string text;
    encode_json(shape, given.get(), text);
    ASSERT_TRUE(nlohmann::json::accept(text)) << shape.name << text;
    Decoding decoding;
    const Status status = decode_json(text, shape, back.get(), decoding);
    ASSERT_TRUE(status.ok()) << shape.name << ": " << status.error().message() << "\n" << text;
    ASSERT_EQ(to_json(shape, given.get()), to_json(shape, back.get())) << shape.name;
  });
}

TEST(EveryShape, survives_cbor) {
  every_structure([](const Shape& shape, std::uint64_t seed) {
    Value given(shape), back(shape);
    Filler(seed).fill(shape, given.get(), kDepth);
    std::string bytes;
    encode_cbor(shape, given.get(), bytes);
    Decoding decoding;
    const Status status = decode_cbor(bytes, shape, back.get(), decoding);
    ASSERT_TRUE(status.ok()) << shape.name << ": " << status.error().message();
    ASSERT_EQ(to_json(shape, given.get()), to_json(shape, back.get())) << shape.name;
    // Every prefix is an error, none a crash.
    for (std::size_t n = 1; n < bytes.size(); n += 1 + bytes.size() / 16) {
      Value part(shape);
      EXPECT_FALSE(decode_cbor(std::string_view(bytes).substr(0, n), shape, part.get(), decoding).ok());
    }
  });
}

TEST(EveryShape, survives_xml) {
  every_structure([](const Shape& shape, std::uint64_t seed) {
    Value given(shape);
    Filler filler(seed);
    filler.xml_safe_ = true;
    filler.fill(shape, given.get(), kDepth);
    std::string text = "<x>";
    encode_xml_members(shape, given.get(), text);
    text += "</x>";
    ASSERT_EQ(xml_to_json(shape, parse_xml(text)), to_json(shape, given.get())) << shape.name << "\n" << text;
  });
}

// Writes a value as clients write forms; the server only reads them.
void write_form(const Shape& shape, const void* value, const std::string& key, std::vector<std::string>& out) {
  const auto scalar = [&](const std::string& text) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string encoded = key + '=';
    for (const char c : text) {
      if (std::isalnum(static_cast<unsigned char>(c))) {
        encoded += c;
      } else {
        encoded += '%';
        encoded += kHex[static_cast<unsigned char>(c) >> 4];
        encoded += kHex[c & 15];
      }
    }
    out.push_back(encoded);
  };
  const std::string dot = key.empty() ? "" : key + '.';
  switch (shape.kind) {
    case Kind::kList:
      for (std::size_t i = 0; i < shape.list->size(shape, value); ++i)
        write_form(*shape.element, shape.list->at(shape, value, i), dot + "member." + std::to_string(i + 1), out);
      break;
    case Kind::kMap: {
      struct Context {
        const Shape& shape;
        std::string dot;
        std::vector<std::string>& out;
        int n = 0;
      } context{shape, dot, out};
      shape.map->each(shape, value, &context, [](void* c, const std::string& map_key, const void* element) {
        auto& in = *static_cast<Context*>(c);
        const std::string entry = in.dot + "entry." + std::to_string(++in.n) + '.';
        const Shape string{.name = "s", .kind = Kind::kString};
        write_form(string, &map_key, entry + std::string(in.shape.entry_key), in.out);
        write_form(*in.shape.element, element, entry + std::string(in.shape.entry_value), in.out);
      });
      break;
    }
    case Kind::kStruct:
      for (std::size_t i = 0; i < shape.member_count; ++i)
        if (const void* member = peek(shape.members[i], value))
          write_form(*shape.members[i].shape, member, dot + std::string(shape.members[i].name), out);
      break;
    default: {
      // The XML form of a scalar is its form in a request, too.
      std::string text;
      Member member{.name = "x", .shape = &shape};
      encode_xml_member(member, value, text);
      const XmlNode node = parse_xml(text);
      scalar(node.text);
    }
  }
}

// Forms cannot say "empty structure", "empty list", so empty things are dropped before comparing.
nlohmann::json without_empty(nlohmann::json json) {
  if (!json.is_structured()) return json;
  auto out = json.is_array() ? nlohmann::json::array() : nlohmann::json::object();
  for (const auto& [key, value] : json.items()) {
    auto inner = without_empty(value);
    if (inner.is_structured() && inner.empty()) continue;
    if (json.is_array()) out.push_back(inner);
    else out[key] = inner;
  }
  return out;
}

TEST(EveryShape, of_the_query_services_survives_a_form_in_any_order) {
  for (const ServiceInfo* service : {&cloudwatch::kService, &sns::kService}) {
    for (const OperationInfo* operation : service->operations) {
      const Shape& shape = *operation->input;
      for (std::uint64_t seed = 0; seed < 12; ++seed) {
        Value given(shape), back(shape);
        Filler filler(seed);
        filler.xml_safe_ = true;
        filler.no_empty_ = true;
        filler.fill(shape, given.get(), kDepth);
        std::vector<std::string> parameters;
        write_form(shape, given.get(), "", parameters);
        if (seed % 3 == 1) std::sort(parameters.begin(), parameters.end());
        if (seed % 3 == 2) {
          SeededRandom random(seed);
          for (std::size_t i = parameters.size(); i > 1; --i) std::swap(parameters[i - 1], parameters[random.next() % i]);
        }
        std::string body = "Action=X&Version=Y";
        for (const std::string& parameter : parameters) body += '&' + parameter;
        Form form;
        ASSERT_TRUE(form.add(body));
        Decoding decoding;
        const Status status = decode_form(form, shape, back.get(), decoding);
        ASSERT_TRUE(status.ok()) << operation->name << ": " << status.error().message() << "\n" << body;
        ASSERT_EQ(without_empty(to_json(shape, back.get())), without_empty(to_json(shape, given.get())))
            << operation->name << "\n" << body;
      }
    }
  }
}

}  // namespace
}  // namespace fog::test

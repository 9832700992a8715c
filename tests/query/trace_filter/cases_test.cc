// Every case of xray-filter-cases.json, on traces put together from its documents; and for each
// match the promise of the hints: what an index would skip never matches.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "query/trace_filter/filter.h"
#include "storage/traces/facts.h"
#include "storage/traces/terms.h"

namespace fog::trace_filter {
namespace {

using nlohmann::json;

json cases() {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/trace_filter/xray-filter-cases.json");
  return json::parse(file);
}

traces::Trace build(const json& spec) {
  traces::DocumentParser parser;
  std::vector<std::shared_ptr<const traces::StoredDocument>> documents;
  for (const auto& document : spec["documents"]) {
    std::vector<traces::DocumentHead> heads;
    const auto text = document.dump();
    EXPECT_EQ(parser.parse(text, {}, 0, heads).fault, traces::DocumentFault::kNone) << text;
    for (auto& head : heads) {
      auto stored = std::make_shared<traces::StoredDocument>();
      stored->id = head.id;
      stored->subsegment = head.subsegment;
      stored->complete = head.complete;
      stored->start_us = head.start_us;
      stored->text = head.text.empty() ? text : head.text;
      traces::merge_document(documents, std::move(stored));
    }
  }
  const auto id = traces::parse_trace_id(spec["trace_id"].get<std::string>());
  EXPECT_TRUE(id);
  traces::TraceAssembler assembler;
  return assembler.assemble(*id, documents, {}, static_cast<std::uint32_t>(documents.size()));
}

// The same traces after a round trip through their stored form.
std::vector<traces::Trace> stored(const std::vector<traces::Trace>& built) {
  traces::FactsWriter writer;
  for (const auto& trace : built) writer.add(trace);
  auto block = traces::FactsBlock::open(writer.finish());
  EXPECT_TRUE(block.ok());
  std::vector<traces::Trace> out;
  for (std::size_t i = 0; i < built.size(); ++i) {
    auto trace = (*block)->trace(i);
    EXPECT_TRUE(trace.ok());
    out.push_back(std::move(*trace));
  }
  return out;
}

bool passes_hints(const traces::Trace& trace, const TraceScan& scan) {
  const auto terms = traces::terms_of(trace);
  for (const auto& clause : scan.terms) {
    bool any = false;
    for (const auto term : clause) any |= std::binary_search(terms.begin(), terms.end(), term);
    if (!any) return false;
  }
  const auto flags = trace_flags(trace);
  if ((flags & scan.flags_set) != scan.flags_set || (flags & scan.flags_clear) != 0) return false;
  const auto response = trace.response_ms().value_or(-1);
  if (scan.response_ms_min && response < *scan.response_ms_min) return false;
  if (scan.response_ms_max && (response < 0 || response > *scan.response_ms_max)) return false;
  if (scan.duration_ms_min && trace.duration_ms() < *scan.duration_ms_min) return false;
  return !(scan.duration_ms_max && trace.duration_ms() > *scan.duration_ms_max);
}

TEST(TraceFilterCases, each_expression_matches_exactly_its_traces) {
  const auto spec = cases();
  std::vector<traces::Trace> built;
  for (const auto& trace : spec["traces"]) built.push_back(build(trace));
  auto decoded = stored(built);

  std::map<std::string, std::string> groups;
  for (const auto& group : spec["groups"])
    groups[group["GroupName"].get<std::string>()] = group["FilterExpression"].get<std::string>();
  const Bindings bindings{[&](std::string_view name, bool is_arn) -> std::optional<std::string> {
                            const auto found = groups.find(std::string(name));
                            if (is_arn || found == groups.end()) return std::nullopt;
                            return found->second;
                          },
                          "123456789012"};
  std::size_t checked = 0;
  for (const auto& each : spec["cases"]) {
    const auto text = each["expression"].get<std::string>();
    SCOPED_TRACE(text);
    const auto filter = Filter::parse(text, bindings);
    ++checked;
    if (each.value("error", false)) {
      EXPECT_FALSE(filter.ok());
      if (!filter.ok()) {
        EXPECT_TRUE(filter.error().position().has_value());
      }
      continue;
    }
    ASSERT_TRUE(filter.ok()) << filter.error().message();
    TraceScan scan;
    filter->add_hints(scan);
    std::set<std::string> expected;
    for (const auto& id : each["matches"]) expected.insert(id.get<std::string>());
    for (auto* list : {&built, &decoded}) {
      std::set<std::string> got;
      for (const auto& trace : *list) {
        if (!filter->matches(trace)) continue;
        got.insert(to_string(trace.id));
        EXPECT_TRUE(passes_hints(trace, scan)) << "the hints would hide " << to_string(trace.id);
      }
      EXPECT_EQ(got, expected);
    }
  }
  EXPECT_EQ(checked, spec["cases"].size());
}

}  // namespace
}  // namespace fog::trace_filter

// Filter expressions of traces: parsed, printed, tried on a trace.
#include "query/trace_filter/filter.h"

#include "query/trace_filter/print.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace trace_filter;

static const traces::Trace& a_trace() {
  static const traces::Trace trace = [] {
    const std::string text = R"({"name":"api","id":"70de5b6f19ff9a0a","trace_id":"1-581cf771-a006649127e371903a2de979","start_time":1478293361.271,"end_time":1478293363.449,"fault":true,"user":"u",)"
                             R"("http":{"request":{"method":"GET","url":"http://x/y","client_ip":"1.2.3.4"},"response":{"status":500}},"annotations":{"a":"b","n":1.5,"t":true},"origin":"AWS::EC2::Instance",)"
                             R"("cause":{"exceptions":[{"id":"a1b2c3d4e5f60718","message":"m","type":"T"}]},"subsegments":[{"id":"53995c3f42cd8ad8","name":"db","start_time":1478293361.3,"end_time":1478293363.4,"namespace":"remote","fault":true}]})";
    traces::DocumentParser parser;
    std::vector<traces::DocumentHead> heads;
    (void)parser.parse(text, {}, 0, heads);
    auto document = std::make_shared<traces::StoredDocument>();
    document->id = heads.at(0).id;
    document->complete = true;
    document->start_us = heads[0].start_us;
    document->text = text;
    traces::TraceAssembler assembler;
    const std::vector<std::shared_ptr<const traces::StoredDocument>> documents{document};
    return assembler.assemble(heads[0].trace, documents, {}, 1);
  }();
  return trace;
}

FOG_FUZZ(trace_filter) {
  const Bindings bindings{[](std::string_view name, bool) -> std::optional<std::string> { return name == "g" ? std::optional<std::string>("fault AND group(\"g\")") : std::nullopt; }, "123456789012"};
  (void)parse_selector(input);
  const auto filter = Filter::parse(input, bindings);
  if (!filter.ok()) return;
  TraceScan scan;
  filter->add_hints(scan);
  (void)filter->matches(a_trace());
  const auto tree = trace_filter::internal::parse_expression(input, bindings, 0);
  if (!tree.ok()) return;
  const std::string printed = print(tree->get());
  const auto again = trace_filter::internal::parse_expression(printed, bindings, 0);
  must(again.ok(), "what was printed can be read");
  must(print(again->get()) == printed, "printing is stable");
}

}  // namespace fog::fuzz

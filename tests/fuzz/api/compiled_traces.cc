// Documents of a trace as BatchGetTraces shows them.
#include "api/xray/compiled.h"

#include "storage/traces/document.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(compiled_traces) {
  static traces::DocumentParser parser;
  std::vector<std::shared_ptr<const traces::StoredDocument>> documents;
  Cut cut(input);
  for (int i = 0; i < 6 && (i == 0 || !cut.rest().empty()); ++i) {
    std::vector<traces::DocumentHead> heads;
    const std::string_view text = cut.next();
    if (parser.parse(text, {}, 0, heads).fault != traces::DocumentFault::kNone) continue;
    for (auto& head : heads) {
      auto stored = std::make_shared<traces::StoredDocument>();
      stored->id = head.id;
      stored->subsegment = head.subsegment;
      stored->complete = head.complete;
      stored->start_us = head.start_us;
      stored->text = head.text.empty() ? std::string(text) : head.text;
      traces::merge_document(documents, std::move(stored));
    }
  }
  for (const auto& document : xray::compile_documents({1, 2}, documents)) {
    std::vector<traces::DocumentHead> heads;
    (void)parser.parse(document.text, {.document_bytes_max = 10u << 20}, 0, heads);
    must(!document.text.empty(), "a compiled document has a text");
  }
}

}  // namespace fog::fuzz

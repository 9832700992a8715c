// X-Ray segment documents: parsed, put together to a trace, stored and read back.
#include "storage/traces/document.h"

#include "storage/traces/document_pack.h"
#include "storage/traces/facts.h"
#include "storage/traces/terms.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace traces;

FOG_FUZZ(segment_document) {
  static DocumentParser parser;
  static TraceAssembler assembler;
  std::vector<std::shared_ptr<const StoredDocument>> documents;
  std::vector<DocumentHead> heads;
  Cut cut(input);
  for (int i = 0; i < 8 && (i == 0 || !cut.rest().empty()); ++i) {
    const std::string_view text = cut.next();
    heads.clear();
    if (parser.parse(text, {}, 0, heads).fault != DocumentFault::kNone) continue;
    for (DocumentHead& head : heads) {
      auto stored = std::make_shared<StoredDocument>();
      stored->id = head.id;
      stored->subsegment = head.subsegment;
      stored->complete = head.complete;
      stored->start_us = head.start_us;
      stored->text = head.text.empty() ? std::string(text) : head.text;
      DocumentPacker packer;
      packer.begin_trace(head.trace, 1);
      packer.add({.received_ms = 1, .lsn = 1, .text = stored->text});
      std::string back;
      const Status unpacked = unpack_documents(packer.finish(), [](std::size_t) { return true; }, [&](std::size_t, const PackedDocument& one) { back = one.text; });
      must(unpacked.ok() && back == stored->text, "a document comes back as it was");
      merge_document(documents, std::move(stored));
    }
  }
  if (documents.empty()) return;
  const Trace trace = assembler.assemble({1, 2}, documents, {}, 1);
  const auto terms = terms_of(trace);
  FactsWriter writer;
  writer.add(trace);
  const auto block = FactsBlock::open(writer.finish());
  must(block.ok(), "facts can be read back");
  const auto again = (*block)->trace(0);
  must(again.ok() && terms_of(*again) == terms, "facts come back as they were");
}

}  // namespace fog::fuzz

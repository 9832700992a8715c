// Stored traces without their documents, and the columns of a run, behind their checksums.
#include "storage/traces/facts.h"

#include "storage/traces/bucket.h"
#include "storage/traces/document_pack.h"
#include "storage/traces/terms.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace traces;

FOG_FUZZ(trace_facts) {
  if (auto block = FactsBlock::open(std::string(input)); block.ok()) {
    for (std::size_t i = 0; i < std::min<std::size_t>((*block)->size(), 50); ++i) {
      auto trace = (*block)->trace(i);
      if (trace.ok()) (void)terms_of(*trace);
    }
  }
  (void)RunColumns::decode(input, true);
  (void)RunColumns::decode(input, false);
  (void)unpack_blob(input);
  const auto all = [](std::size_t) { return true; };
  const auto none = [](std::size_t, const PackedDocument&) {};
  (void)unpack_documents(pack_blob(input), all, none);
  (void)unpack_documents(input, all, none);
}

FOG_FUZZ_SEEDS(trace_facts) {
  const std::string text = R"({"name":"api","id":"70de5b6f19ff9a0a","trace_id":"1-581cf771-a006649127e371903a2de979","start_time":1478293361.271,"end_time":1478293361.449,)"
                           R"("http":{"request":{"method":"GET","url":"http://x/y"},"response":{"status":500}},"fault":true,"annotations":{"a":"b","n":1.5,"t":true},"cause":{"exceptions":[{"id":"a1b2c3d4e5f60718","message":"m","type":"T"}]},)"
                           R"("subsegments":[{"id":"53995c3f42cd8ad8","name":"db","start_time":1478293361.3,"end_time":1478293361.4,"namespace":"remote"}]})";
  DocumentParser parser;
  std::vector<DocumentHead> heads;
  (void)parser.parse(text, {}, 0, heads);
  auto document = std::make_shared<StoredDocument>();
  document->id = heads.at(0).id;
  document->complete = true;
  document->start_us = heads[0].start_us;
  document->text = text;
  const std::vector<std::shared_ptr<const StoredDocument>> documents{document};
  TraceAssembler assembler;
  const Trace trace = assembler.assemble(heads[0].trace, documents, {1, 2}, 1);
  FactsWriter writer;
  writer.add(trace);
  writer.add(trace);
  RunColumns columns;
  columns.rows.assign(3, RunColumns::row_of(trace));
  DocumentPacker packer;
  packer.begin_trace(heads[0].trace, 2);
  packer.add({.received_ms = 5, .lsn = 1, .text = text});
  packer.add({.received_ms = 6, .lsn = 2, .text = text});
  std::vector<std::string> out{writer.finish(), columns.encode(), packer.finish()};
  if (auto raw = unpack_blob(out[2]); raw.ok()) out.push_back(*raw);
  if (auto raw = unpack_blob(out[0]); raw.ok()) out.push_back(*raw);
  if (auto raw = unpack_blob(out[1]); raw.ok()) out.push_back(*raw);
  return out;
}

}  // namespace fog::fuzz

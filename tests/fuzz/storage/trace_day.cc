// A day of traces is an SQLite file: any bytes may stand there.
#include <fstream>
#include <iterator>

#include "storage/base/log.h"
#include "storage/traces/bucket.h"
#include "tests/fuzz/target.h"
#include "tests/storage/temp_folder.h"

namespace fog::fuzz {

using namespace traces;

FOG_FUZZ(trace_day) {
  log::set_level(log::Level::kOff);
  const testing::TempFolder folder;
  std::ofstream(folder.path() / "day.db", std::ios::binary) << input;
  auto bucket = Bucket::open(folder.path() / "day.db", false);
  if (!bucket.ok()) return;
  const auto runs = (*bucket)->runs(1);
  if (!runs.ok()) return;
  for (std::size_t i = 0; i < std::min<std::size_t>(runs->size(), 3); ++i) {
    const std::int64_t run = (*runs)[i].run;
    (void)(*bucket)->columns(run, true);
    (void)(*bucket)->facts({.run = run, .ordinal = 0});
    (void)(*bucket)->documents({.run = run, .ordinal = 0});
    (void)(*bucket)->read_run(1, run);
  }
  (void)(*bucket)->postings(1, 2);
  Graph graph;
  (void)(*bucket)->graph(1, 0, 30'000'000, 0, graph);
}

FOG_FUZZ_SEEDS(trace_day) {
  const std::string text = R"({"name":"api","id":"70de5b6f19ff9a0a","trace_id":"1-581cf771-a006649127e371903a2de979","start_time":1478293361.271,"end_time":1478293361.449})";
  const testing::TempFolder folder;
  {
    auto bucket = Bucket::open(folder.path() / "day.db", false);
    if (!bucket.ok()) return {};
    DocumentParser parser;
    std::vector<DocumentHead> heads;
    (void)parser.parse(text, {}, 0, heads);
    auto document = std::make_shared<StoredDocument>();
    document->id = heads.at(0).id;
    document->complete = true;
    document->start_us = heads[0].start_us;
    document->text = text;
    TraceAssembler assembler;
    const std::vector<std::shared_ptr<const StoredDocument>> documents{document};
    SealItem item;
    item.trace = std::make_shared<Trace>(assembler.assemble(heads[0].trace, documents, {}, 1));
    item.row = RunColumns::row_of(*item.trace);
    item.documents = documents;
    const std::vector<SealItem> items{item};
    (void)(*bucket)->seal(1, plan_seal(items, nullptr));
  }
  std::ifstream in(folder.path() / "day.db", std::ios::binary);
  return {{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}};
}

}  // namespace fog::fuzz

// Lines stored once, as templates and columns, against lines stored as text beside their columns: size and
// speed of both over the same blocks. The decision for the former is in storage/segments/README.md.
//
//   bench_logs_text [--file events.ndjson] [--events N]
//
// Text is zstd level 1 over a block's messages, one after the other in order of time, with their lengths; its
// columns are the same sections as in the block without templates, template codes and the values of holes that
// are no field. CPU time of the process.
#include <sys/resource.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "bench/log_lines.h"
#include "storage/segments/block_reader.h"

namespace {

using namespace fog;
using namespace fog::segments;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Totals {
  double raw = 0, events = 0;
  double block = 0, fields = 0, text = 0;                          // bytes
  double write_block = 0, write_text = 0, read_block = 0, read_text = 0;  // seconds
};

template <typename Work>
auto timed(double& total, Work&& work) {
  const double start = cpu_seconds();
  auto result = work();
  total += cpu_seconds() - start;
  return result;
}

[[noreturn]] void die(const char* why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(1);
}

void one_block(std::vector<std::pair<std::int64_t, std::string>>& events, Totals& totals) {
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  BlockInput input;
  std::string joined;
  std::string lengths;
  LogSequence sequence = 0;
  for (const auto& [time, message] : events) {
    input.rows.push_back({time, ++sequence, time, 1, 0, message});
    totals.raw += static_cast<double>(message.size());
  }
  totals.events += static_cast<double>(events.size());

  auto bytes = std::make_shared<std::string>();
  const BlockSummary summary = timed(totals.write_block, [&] { return write_block(input, [](std::string_view) { return true; }, *bytes); });
  totals.block += static_cast<double>(bytes->size());
  const std::string packed = timed(totals.write_text, [&] {
    std::vector<std::int64_t> sizes;
    for (const auto& event : events) {
      joined += event.second;
      sizes.push_back(static_cast<std::int64_t>(event.second.size()));
    }
    encode_ints(sizes, lengths);
    joined += lengths;
    std::string out(ZSTD_compressBound(joined.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), joined.data(), joined.size(), 1));
    return out;
  });
  totals.text += static_cast<double>(packed.size());

  const auto stored = std::make_shared<const StoredBlock>(summary, std::make_shared<const MemorySource>(bytes));
  const auto directory = stored->directory();
  if (!directory.ok()) die("a block cannot be read back");
  double unfielded = static_cast<double>((*directory)->templates.stored + (*directory)->template_codes.stored);
  for (const ColumnEntry& column : (*directory)->columns)
    if (column.name.kind == HoleKind::kHidden) unfielded += static_cast<double>(column.section.stored);
  totals.fields += static_cast<double>(bytes->size()) - unfielded;

  const std::string rebuilt = timed(totals.read_block, [&] {
    auto reader = make_block_reader(stored, {}, nullptr);
    const auto messages = reader->messages(RowSet(reader->rows(), true));
    return messages.ok() ? (*messages)->bytes : std::string();
  });
  const std::string unpacked = timed(totals.read_text, [&] {
    std::string out(joined.size(), '\0');
    if (ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size()) != out.size()) out.clear();
    return out;
  });
  if (rebuilt.size() + lengths.size() != unpacked.size() || !unpacked.starts_with(rebuilt)) die("the messages differ");
  events.clear();
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  std::size_t events = 500'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--file") == 0) file = argv[i + 1];
    if (std::strcmp(argv[i], "--events") == 0) events = std::strtoull(argv[i + 1], nullptr, 10);
  }
  constexpr std::size_t kBlock = 32768;
  std::map<std::uint64_t, std::vector<std::pair<std::int64_t, std::string>>> groups;
  Totals totals;
  const auto emit = [&](const bench::Batch& batch) {
    auto& open = groups[batch.group];
    for (const auto& event : batch.events) {
      open.push_back(event);
      if (open.size() == kBlock) one_block(open, totals);
    }
  };
  if (file.empty())
    bench::generate(events, 1787184000000, emit);
  else
    bench::read_file(file, events, emit);
  for (auto& entry : groups)
    if (!entry.second.empty()) one_block(entry.second, totals);

  const auto row = [&](const char* name, double bytes, double write, double read) {
    fmt::print("{:<34} {:8.2f} B an event  1/{:<6.2f} of raw   write {:6.0f} MB/s   all messages read {:6.0f} MB/s\n", name, bytes / totals.events,
               totals.raw / bytes, totals.raw / 1e6 / write, totals.raw / 1e6 / read);
  };
  fmt::print("{:.0f} events, {:.1f} MB\n", totals.events, totals.raw / 1e6);
  row("templates and columns, once", totals.block, totals.write_block, totals.read_block);
  row("text beside the columns", totals.text + totals.fields, totals.write_block + totals.write_text, totals.read_text);
  row("text alone, without any column", totals.text, totals.write_text, totals.read_text);
  return 0;
}

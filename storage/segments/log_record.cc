// The records of StoreId::kLogs. They bear the group's id. Payload, integers as varints:
//   1 append       first sequence fixed u64 | stream | ingestion zigzag | fields: count, pairs of texts
//                  | events: count | (timestamp - previous timestamp zigzag, size) each | message bytes
//   2 drop group
//   3 drop stream  stream
//   4 hide before  before zigzag | sequence
//   5 drop all
#include "storage/segments/log_record.h"

#include "storage/base/bytes.h"

#include <cstring>

namespace fog {

namespace segments {

namespace {
constexpr std::size_t kSequenceOffset = 1;  // of the first sequence number in an append record
}

std::string encode_append(const LogBatch& batch) {
  std::size_t bytes = 64;
  for (const LogEventIn& event : batch.events) bytes += event.message.size() + 6;
  std::string payload;
  payload.reserve(bytes);
  ByteWriter to(payload);
  to.fixed(static_cast<std::uint8_t>(LogOperation::kAppend));
  to.fixed<std::uint64_t>(0);  // known only under the group's lock
  to.varint(batch.stream);
  to.zigzag(batch.ingestion_ms);
  to.varint(batch.fields.size());
  for (const auto& [name, value] : batch.fields) {
    to.text(name);
    to.text(value);
  }
  to.varint(batch.events.size());
  std::int64_t previous = 0;
  for (const LogEventIn& event : batch.events) {
    to.zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(event.timestamp_ms) - static_cast<std::uint64_t>(previous)));
    to.varint(event.message.size());
    previous = event.timestamp_ms;
  }
  for (const LogEventIn& event : batch.events) to.raw(event.message);
  return payload;
}

void set_first_sequence(std::string& payload, LogSequence first) {
  std::memcpy(payload.data() + kSequenceOffset, &first, sizeof first);
}

namespace {

bool decode_append(ByteReader& in, LogBatch& batch, LogSequence& first, std::vector<LogEventIn>& events) {
  first = in.fixed<std::uint64_t>();
  batch.stream = in.varint();
  batch.ingestion_ms = in.zigzag();
  const std::uint64_t fields = in.varint();
  for (std::uint64_t i = 0; i < fields && in.ok(); ++i) {
    std::string name(in.text());
    batch.fields.emplace_back(std::move(name), in.text());
  }
  const std::uint64_t n = in.varint();
  if (!in.ok() || n > in.rest().size()) return false;
  std::vector<std::size_t> sizes;
  std::int64_t previous = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    previous = static_cast<std::int64_t>(static_cast<std::uint64_t>(previous) + static_cast<std::uint64_t>(in.zigzag()));
    events.push_back({previous, {}});
    sizes.push_back(static_cast<std::size_t>(in.varint()));
  }
  for (std::size_t i = 0; i < events.size(); ++i) events[i].message = in.raw(sizes[i]);
  batch.events = events;
  return in.ok() && in.at_end();
}

}  // namespace
}  // namespace segments

bool read_append_record(std::string_view payload, LogBatch& batch, LogSequence& first, std::vector<LogEventIn>& events) {
  ByteReader in(payload);
  return in.fixed<std::uint8_t>() == static_cast<std::uint8_t>(segments::LogOperation::kAppend) &&
         segments::decode_append(in, batch, first, events);
}

}  // namespace fog

// Documents in: from callers and from the log.
#include "storage/base/bytes.h"
#include "storage/traces/engine.h"

namespace fog::traces {

namespace {

constexpr std::size_t kDocumentOverheadBytes = 160;  // beside the text

}  // namespace

void Engine::insert(Head& head, std::uint64_t scope, Lsn lsn, std::int64_t received_ms,
                    std::vector<DocumentHead>& heads, std::span<const std::string_view> texts,
                    std::span<const std::size_t> text_of) {
  for (std::size_t i = 0; i < heads.size(); ++i) {
    auto& in = heads[i];
    auto& trace = head.traces[{scope, in.trace}];
    if (trace.first_lsn == 0) trace.first_lsn = lsn;
    trace.last_lsn = lsn;
    trace.touched_ms = received_ms;
    trace.version = head.next_version++;
    trace.whole = nullptr;
    // An array document is one update of each trace it touches.
    if (i == 0 || text_of[i] != text_of[i - 1] || heads[i - 1].trace != in.trace)
      trace.updates.push_back({lsn, received_ms});
    head.oldest_touch_ms = std::min(head.oldest_touch_ms, received_ms);
    const std::size_t size = in.text.empty() ? texts[text_of[i]].size() : in.text.size();
    if (options_.trace_bytes_max > 0 && trace.bytes + size > options_.trace_bytes_max) {
      trace.limit_exceeded = true;
      continue;
    }
    auto document = std::make_shared<StoredDocument>();
    document->id = in.id;
    document->subsegment = in.subsegment;
    document->complete = in.complete;
    document->start_us = in.start_us;
    document->received_ms = received_ms;
    document->lsn = lsn;
    if (in.text.empty()) document->text = texts[text_of[i]];
    else document->text = std::move(in.text);
    if (!merge_document(trace.documents, std::move(document))) continue;
    trace.bytes += size + kDocumentOverheadBytes;
    head.bytes += size + kDocumentOverheadBytes;
  }
}

TraceStore::Receipt Engine::append(const TraceScope& scope,
                                   std::span<const std::string_view> documents) {
  Receipt receipt;
  const auto now = clock_.now();
  std::vector<DocumentHead> heads;
  std::vector<std::size_t> text_of;
  receipt.verdicts.reserve(documents.size());
  heads.reserve(documents.size());
  text_of.reserve(documents.size());
  std::size_t bytes = 0;
  std::size_t accepted = 0;
  auto parser = parsers_.take();
  for (std::size_t i = 0; i < documents.size(); ++i) {
    receipt.verdicts.push_back(
        parser->parse(documents[i], options_.limits, to_ms(now) / 1000, heads));
    text_of.resize(heads.size(), i);
    if (receipt.verdicts.back().fault != DocumentFault::kNone) continue;
    bytes += documents[i].size();
    ++accepted;
  }
  parsers_.give_back(std::move(parser));
  accepted_ += accepted;
  rejected_ += documents.size() - accepted;
  if (accepted == 0) return receipt;
  std::string record(1, kRecordVersion);
  record.reserve(bytes + 5 * accepted + 32);
  ByteWriter out(record);
  out.zigzag(to_ms(now));
  out.varint(accepted);
  for (std::size_t i = 0; i < documents.size(); ++i)
    if (receipt.verdicts[i].fault == DocumentFault::kNone) out.text(documents[i]);
  const auto number = wal_.healthy() ? scope_number_or_new(scope) : Error::busy("The disk refuses writes.");
  if (!number.ok()) {
    // Nothing was stored: the caller reports it as "try again".
    receipt.verdicts.clear();
    return receipt;
  }
  bool overfull = false;
  {
    auto head = head_.lock();
    receipt.lsn = wal_.append(StoreId::kTraces, *number, record);
    insert(*head, *number, receipt.lsn, to_ms(now), heads, documents, text_of);
    overfull = head->bytes > 2 * options_.head_bytes_max;
  }
  if (listener_) {
    std::vector<std::string_view> told;
    told.reserve(accepted);
    for (std::size_t i = 0; i < documents.size(); ++i)
      if (receipt.verdicts[i].fault == DocumentFault::kNone) told.push_back(documents[i]);
    receipt.lsn = std::max(receipt.lsn, listener_(scope, told));
  }
  if (overfull) tick(now);  // whoever writes faster than sealing keeps up helps sealing
  return receipt;
}

void Engine::apply_record(const Wal::Record& record) {
  if (record.store != StoreId::kTraces || record.lsn <= replay_from_) return;
  {
    auto catalogue = catalogue_.lock_shared();
    if (!catalogue->scopes.contains(record.id)) return;  // erased since
  }
  ByteReader in(record.payload);
  if (in.fixed<char>() != kRecordVersion) return;
  const auto received_ms = in.zigzag();
  std::vector<std::string_view> texts;
  for (auto n = in.varint(); n > 0 && in.ok(); --n) texts.push_back(in.text());
  if (!in.ok()) return;
  std::vector<DocumentHead> heads;
  std::vector<std::size_t> text_of;
  auto parser = parsers_.take();
  DocumentLimits limits;  // accepted once: only what merging needs is read again
  limits.document_bytes_max = SIZE_MAX;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    (void)parser->parse(texts[i], limits, 0, heads);
    text_of.resize(heads.size(), i);
  }
  parsers_.give_back(std::move(parser));
  accepted_ += texts.size();
  auto head = head_.lock();
  insert(*head, record.id, record.lsn, received_ms, heads, texts, text_of);
}

}  // namespace fog::traces

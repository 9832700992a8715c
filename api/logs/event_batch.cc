#include "api/logs/event_batch.h"

#include <algorithm>
#include <numeric>

#include "storage/base/find_bytes.h"

namespace fog::logs {
namespace {

// Adds the events in which `needle` occurs.
void add_holders(const EventBatch& batch, std::string_view needle, std::vector<std::size_t>& out) {
  const std::string_view text = batch.text;
  std::size_t event = 0;
  for (std::size_t at = find_bytes(text, needle); at != std::string_view::npos;) {
    while (event < batch.events.size() && batch.events[event].begin + batch.events[event].size <= at) ++event;
    if (event == batch.events.size()) return;
    const EventBatch::Event& holder = batch.events[event];
    if (at >= holder.begin && at + needle.size() <= holder.begin + holder.size) {
      out.push_back(event);
      at = find_bytes(text, needle, holder.begin + holder.size);  // one hit an event is enough
    } else {
      at = find_bytes(text, needle, at + 1);  // it lies across two messages
    }
  }
}

}  // namespace

std::vector<std::size_t> candidates(const CompiledPattern& pattern, const EventBatch& batch) {
  std::vector<std::size_t> found;
  if (pattern.literals.empty()) {
    found.resize(batch.events.size());
    std::iota(found.begin(), found.end(), std::size_t{0});
    return found;
  }
  for (const std::string& literal : pattern.literals) add_holders(batch, literal, found);
  if (pattern.escapes_matter) add_holders(batch, "\\u", found);
  if (pattern.literals.size() > 1 || pattern.escapes_matter) {
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
  }
  return found;
}

std::vector<std::size_t> matching(const CompiledPattern& pattern, const EventBatch& batch, bool on_transformed,
                                  std::vector<std::string>* transformed) {
  std::vector<std::size_t> found;
  if (on_transformed && batch.rules != nullptr && batch.rules->has_transformers()) {
    for (std::size_t i = 0; i < batch.events.size(); ++i) {
      auto text = batch.rules->transform(batch.ingestion_ms, batch.sequence(i), batch.message(i), batch.stream_name);
      std::string seen = text ? std::move(*text) : std::string(batch.message(i));
      if (!pattern.matches(seen)) continue;
      found.push_back(i);
      if (transformed != nullptr) transformed->push_back(std::move(seen));
    }
    return found;
  }
  found = candidates(pattern, batch);
  std::erase_if(found, [&](std::size_t i) { return !pattern.matches(batch.message(i)); });
  return found;
}

}  // namespace fog::logs

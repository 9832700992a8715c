#include "storage/segments/piece_cache.h"

namespace fog::segments {

namespace {
constexpr std::size_t kEntryBytes = 160;      // of the tables, for an entry
constexpr std::uint64_t kAdmitted = 4;        // one newcomer of so many, when full
constexpr std::uint64_t kIdleTurns = 300;     // about five minutes
constexpr std::uint64_t kTurnsPerSweep = 32;
}  // namespace

std::shared_ptr<const void> PieceCache::find_any(const PieceKey& key) {
  const auto state = state_.lock();
  const auto it = state->entries.find(key);
  if (it == state->entries.end()) return nullptr;
  it->second.recent = true;
  it->second.used_at = state->turn;
  return it->second.piece;
}

void PieceCache::remove(State& state, const PieceKey& key) {
  const auto it = state.entries.find(key);
  const std::size_t place = it->second.place;
  state.bytes -= it->second.bytes;
  state.entries.erase(it);
  if (place + 1 != state.ring.size()) {
    state.ring[place] = state.ring.back();
    state.entries.find(state.ring[place])->second.place = place;
  }
  state.ring.pop_back();
}

void PieceCache::add(const PieceKey& key, std::shared_ptr<const void> piece, std::size_t bytes) {
  bytes += kEntryBytes;
  if (bytes > bytes_max_ / 16) return;
  const auto state = state_.lock();
  if (state->entries.contains(key)) return;
  if (state->bytes + bytes > bytes_max_ && ++state->newcomers % kAdmitted != 0) return;
  while (state->bytes + bytes > bytes_max_ && !state->ring.empty()) {
    if (state->hand >= state->ring.size()) state->hand = 0;
    const PieceKey at = state->ring[state->hand];
    Entry& entry = state->entries.find(at)->second;
    if (entry.recent) {
      entry.recent = false;
      ++state->hand;
    } else {
      remove(*state, at);
    }
  }
  state->entries.emplace(key, Entry{std::move(piece), bytes, state->ring.size(), state->turn, false});
  state->ring.push_back(key);
  state->bytes += bytes;
}

void PieceCache::age() {
  const auto state = state_.lock();
  if (++state->turn % kTurnsPerSweep != 0) return;
  for (std::size_t at = state->ring.size(); at-- > 0;) {
    const PieceKey key = state->ring[at];
    if (state->entries.find(key)->second.used_at + kIdleTurns < state->turn) remove(*state, key);
  }
}

}  // namespace fog::segments

#include "storage/wal/resource_log.h"

#include <charconv>

#include "storage/base/bytes.h"
#include "storage/base/log.h"

namespace fog {
namespace {

const ResourceKey kAppliedKey{"resource-log", "", "", "applied"};

bool in_scope(const ResourceKey& key, std::string_view account, std::string_view region) {
  return (account.empty() || key.account == account) && (region.empty() || key.region == region);
}

std::string encode(const std::vector<ResourceStore::Change>& batch) {
  std::string out = "B";
  ByteWriter writer(out);
  writer.varint(batch.size());
  for (const auto& [key, document] : batch) {
    writer.text(key.kind);
    writer.text(key.account);
    writer.text(key.region);
    writer.text(key.name);
    writer.fixed<std::uint8_t>(document ? 1 : 0);
    if (document) writer.text(*document);
  }
  return out;
}

}  // namespace

ResourceLog::ResourceLog(ResourceStore& store, Wal& wal) : store_(store), wal_(wal) {
  if (const auto text = store_.get(kAppliedKey))
    std::from_chars(text->data(), text->data() + text->size(), replay_above_);
}

void ResourceLog::replay(const Wal::Record& record) {
  if (record.lsn <= replay_above_ || record.payload.empty()) return;
  ByteReader reader(record.payload.substr(1));
  const std::lock_guard lock(mutex_);
  last_ = record.lsn;
  if (record.payload.front() == 'X') {
    const std::string_view account = reader.text();
    const std::string_view region = reader.text();
    std::erase_if(pending_, [&](const auto& item) { return in_scope(item.first, account, region); });
    return;
  }
  for (std::uint64_t n = reader.varint(); n > 0 && reader.ok(); --n) {
    ResourceKey key;
    key.kind = reader.text();
    key.account = reader.text();
    key.region = reader.text();
    key.name = reader.text();
    std::optional<std::string> document;
    if (reader.fixed<std::uint8_t>() != 0) document = std::string(reader.text());
    if (!reader.ok()) {
      LOG_ERROR("resource record {} is damaged", record.lsn);
      return;
    }
    pending_[std::move(key)] = std::move(document);
  }
}

Result<Lsn> ResourceLog::put(std::vector<ResourceStore::Change> batch) {
  if (!wal_.healthy()) return Error::busy("The disk refuses writes.");
  const std::string payload = encode(batch);
  // Under the lock, so that the order of changes is the order of records.
  const std::lock_guard lock(mutex_);
  last_ = wal_.append(kResourceLogStore, 0, payload);
  for (auto& [key, document] : batch) pending_[std::move(key)] = std::move(document);
  return last_;
}

Lsn ResourceLog::last_lsn() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

Status ResourceLog::flush() {
  const std::lock_guard one(flushing_);
  Pending taken;
  Lsn upto = 0;
  {
    const std::lock_guard lock(mutex_);
    if (pending_.empty()) return Ok{};
    taken.swap(pending_);
    upto = last_;
  }
  std::vector<ResourceStore::Change> batch;
  batch.reserve(taken.size() + 1);
  for (const auto& [key, document] : taken) batch.push_back({key, document});
  batch.push_back({kAppliedKey, std::to_string(upto)});
  if (Status status = store_.apply(std::move(batch)); !status.ok()) {
    const std::lock_guard lock(mutex_);
    pending_.merge(taken);  // what came meanwhile is newer and stays
    return status;
  }
  wal_.set_applied(kResourceLogStore, upto);
  return Ok{};
}

Status ResourceLog::erase_scope(std::string_view account, std::string_view region) {
  const std::lock_guard one(flushing_);
  const std::lock_guard lock(mutex_);
  std::erase_if(pending_, [&](const auto& item) { return in_scope(item.first, account, region); });
  std::string payload = "X";
  ByteWriter writer(payload);
  writer.text(account);
  writer.text(region);
  last_ = wal_.append(kResourceLogStore, 0, payload);
  return Ok{};
}

void ResourceLog::tick(Timestamp) {
  if (Status status = flush(); !status.ok()) LOG_ERROR("changes cannot be stored: {}", status.error().message());
}

}  // namespace fog

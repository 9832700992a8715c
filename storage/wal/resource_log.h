// ResourceLog: changes of documents that many callers make at once, made durable by the write-ahead
// log's group commit and carried over to the resource store behind it, many in one transaction.
//
// put() costs memory only: the record goes to the log, the caller's answer waits for the LSN. Once a
// second (or when somebody must read the store: flush()) everything that gathered is written. A kind
// of document belongs either to this log or to direct writes of the store, never to both.
//
// Log record: 'B' + varint n + n times (text kind, account, region, name, u8 has a document, text
// document), or 'X' + text account + text region: a scope was erased. The store's document
// ("resource-log", "", "", "applied") holds the LSN up to which everything is in the store; it is
// written in the same transaction.
// Threads: any.
#pragma once

#include <map>
#include <mutex>

#include "storage/base/worker.h"
#include "storage/resource_store.h"
#include "storage/wal/wal.h"

namespace fog {

inline constexpr StoreId kResourceLogStore = static_cast<StoreId>(5);

class ResourceLog final : public Worker {
 public:
  ResourceLog(ResourceStore& store, Wal& wal);

  // Each record of kResourceLogStore, before the first put; then flush() and the store is complete.
  void replay(const Wal::Record& record);

  // kBusy: the disk refuses writes.
  Result<Lsn> put(std::vector<ResourceStore::Change> batch);
  // The LSN of the last put: what is durable up to it includes every change so far.
  Lsn last_lsn() const;
  // Everything put so far is in the store when this returns.
  Status flush();
  // Forgets what waits for a scope; called before the store erases it. Empty: every account, region.
  Status erase_scope(std::string_view account, std::string_view region);

  std::string_view name() const override { return "resource-log"; }
  std::optional<Timestamp> next_due(Timestamp) override { return std::nullopt; }  // no matter of virtual time
  void tick(Timestamp) override;

 private:
  using Pending = std::map<ResourceKey, std::optional<std::string>>;

  ResourceStore& store_;
  Wal& wal_;
  Lsn replay_above_ = 0;
  std::mutex flushing_;  // one flush at a time
  mutable std::mutex mutex_;
  Pending pending_;
  Lsn last_ = 0;
};

}  // namespace fog

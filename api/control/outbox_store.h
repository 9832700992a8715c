// OutboxStore: the Outbox kept in the ResourceStore, newest messages only.
//
// One document a message: kind "outbox", named by an ascending id, JSON inside. Threads: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "api/common/outbox.h"
#include "api/common/resettable.h"
#include "storage/resource_store.h"

namespace fog {

class OutboxStore final : public Outbox, public Resettable {
 public:
  // `messages_max` counts per account and region.
  explicit OutboxStore(ResourceStore& resources, std::size_t messages_max = 10'000)
      : resources_(resources), messages_max_(messages_max) {}

  Status add(OutboxMessage message) override;
  std::vector<OutboxMessage> list(const OutboxFilter& filter) const override;
  Status clear(const OutboxFilter& filter) override;
  Status reset(std::string_view account, std::string_view region) override;

 private:
  ResourceStore& resources_;
  std::size_t messages_max_;
  std::atomic<std::uint64_t> added_{0};
};

}  // namespace fog

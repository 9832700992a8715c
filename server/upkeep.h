// Small duties of the server that come round with the other workers.
#pragma once

#include <future>
#include <memory>

#include "api/common/services.h"
#include "api/sns/service.h"
#include "server/tls.h"
#include "server/workers.h"
#include "storage/base/log.h"
#include "storage/base/worker_pool.h"
#include "storage/metric_store.h"

namespace fog {

// Reads certificates that were put in place of the old ones.
class CertificateUpkeep final : public Worker {
 public:
  explicit CertificateUpkeep(Certificate& certificate) : certificate_(certificate) {}
  std::string_view name() const override { return "certificate"; }
  std::optional<Timestamp> next_due(Timestamp) override { return std::nullopt; }
  void tick(Timestamp) override { certificate_.reload_if_changed(); }

 private:
  Certificate& certificate_;
};

class MetricUpkeep final : public Worker {
 public:
  explicit MetricUpkeep(MetricStore& store) : store_(store) {}
  std::string_view name() const override { return "metric-store"; }
  std::optional<Timestamp> next_due(Timestamp now) override { return store_.next_due(now); }
  void tick(Timestamp now) override { store_.tick(now); }

 private:
  MetricStore& store_;
};

// Makes the key that signs notifications, once the server has been up for a moment; forgets archived
// messages whose time has come.
class SnsUpkeep final : public Worker {
 public:
  SnsUpkeep(sns::Sns& sns, WorkerPool& pool) : sns_(sns), pool_(pool) {}
  std::string_view name() const override { return "sns-upkeep"; }
  std::optional<Timestamp> next_due(Timestamp) override { return std::nullopt; }
  void tick(Timestamp now) override {
    if (now >= next_trim_) {
      next_trim_ = now + std::chrono::hours(1);
      sns_.trim(now);
    }
    if (asked_) return;
    auto done = std::make_shared<std::promise<void>>();
    key_made_ = done->get_future();
    asked_ = pool_.submit([this, done] {
      if (auto made = sns_.signer().certificate_name(); !made.ok()) LOG_WARN("no signing key: {}", made.error().message());
      done->set_value();
    });
    if (!asked_) key_made_ = {};
  }
  // The task stands on what is taken down next.
  ~SnsUpkeep() override {
    if (key_made_.valid()) key_made_.wait();
  }

 private:
  sns::Sns& sns_;
  WorkerPool& pool_;
  bool asked_ = false;
  std::future<void> key_made_;
  Timestamp next_trim_{};
};

}  // namespace fog

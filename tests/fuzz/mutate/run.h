// MutationRun: a whole server in memory, requests to it, and what came of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/app.h"
#include "tests/fuzz/mutate/generator.h"
#include "tests/fuzz/mutate/wire.h"

namespace fog::fuzz {

// Operations of all models.
std::vector<const OperationInfo*> all_operations();

// What must never happen, with the request that made it happen.
struct Finding {
  std::string what;
  std::string request;
  std::string answer;
};

class MutationRun {
 public:
  MutationRun();  // throws when the server does not start
  ~MutationRun();

  std::uint16_t port() const { return app_->api_port(); }
  // Groups, topics, queues, alarms ... that the generated requests name.
  void furnish(Connection& connection, Generator& generator);

  // `count` mutated requests on each of `threads` connections, from a seed.
  void mutate(std::uint64_t count, int threads, std::uint64_t seed);

  void report(Finding finding);
  std::vector<Finding> findings() const;
  std::string table() const;

 private:
  struct Tally {
    std::uint64_t sent = 0;
    std::uint64_t accepted = 0;  // 2xx
  };
  void mutate_one(Connection& connection, Generator& generator, const std::vector<const OperationInfo*>& operations,
                  std::map<std::string, Tally>& tally);
  void keep_for_later(const Answer& answer, Generator& generator);

  std::unique_ptr<App> app_;
  mutable std::mutex mutex_;
  std::vector<Finding> findings_;
  std::map<std::string, Tally> tally_;  // by service
  std::map<int, std::uint64_t> statuses_;
  std::map<std::string, std::pair<double, std::string>> slowest_;  // by operation: seconds, request
};

// Random damage to bytes: bits, runs cut out, doubled, moved in, numbers blown up.
std::string damage(std::string bytes, std::string_view other, Dice& dice);
// Somewhere in the tree a value of another kind or an extreme one.
void distort(Tree& tree, Dice& dice);

}  // namespace fog::fuzz

// App: the whole server, put together. app.cc is the table of contents of the running program.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/config.h"
#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog {

class App {
 public:
  // Opens the data folder, recovers it, starts the services, opens the doors.
  static Result<std::unique_ptr<App>> start(const Config& config);
  // Leaves at once; stop() first for an orderly end.
  ~App();

  // What `serve` prints: "listening api http://127.0.0.1:4566", ..., profile and durability.
  const std::vector<std::string>& start_lines() const;
  std::uint16_t api_port() const;

  // False when the workers have not finished a round for long: the service manager may then start afresh.
  bool is_well() const;

  // Reads the keys file again. When it is wrong, what was read before stays in force.
  void reload();

  // Accepts no more, finishes what is under way, makes everything durable. False when some request
  // was still busy after `grace`: then leave the process without destroying this.
  [[nodiscard]] bool stop(Millis grace);

 private:
  struct Impl;
  explicit App(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// `fogwatch check`: reads every checksum of a data folder and changes nothing. One line a finding.
Result<std::vector<std::string>> check_data_folder(const std::filesystem::path& folder);

}  // namespace fog

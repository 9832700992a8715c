// Snapshots: the whole state of a server under a name, and back to it without a restart; for test suites.
//
//   DATA/snapshots/NAME/   a copy of the stores (storage/backup/copy.h), the clock included
//   DATA/.swap             a return that is under way: the folder that replaces the stores, the folder the old
//                          ones go to, the names in the new one. It is finished when the folder is next opened.
//
// Going back: the copy is cloned (files that never change by link), the server comes to rest, its stores are
// closed, folders are renamed, stores are opened again. Connections stay; requests wait meanwhile.
// What is no state of clients stays as it is: keys, users, faults, configuration.
// Threads: any; one change at a time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/common/http_message.h"
#include "storage/base/result.h"

namespace fog {

// Finishes a return that was interrupted, and deletes what was left behind. Before the stores are opened.
Status finish_swap(const std::filesystem::path& data);

class Snapshots {
 public:
  // Brings the server to rest, closes the stores, runs what it is given, opens the stores. Error: busy, and
  // nothing has happened, when something does not come to its end.
  using Replace = std::function<Status(const std::function<Status()>& while_closed)>;

  // An empty folder: there are none (ephemeral).
  Snapshots(std::filesystem::path data, Replace replace) : data_(std::move(data)), replace_(std::move(replace)) {}
  ~Snapshots();

  // GET lists, POST and PUT {"name"} save, DELETE ?name= removes.
  http::Response answer(const http::Request& request);
  // POST {"name"}; `done` is called on a thread of its own.
  void restore(const http::Request& request, std::function<void(http::Response)> done);

 private:
  http::Response list() const;
  http::Response save(const std::string& name);
  http::Response remove(const std::string& name);
  Status go_back(const std::string& name);
  std::filesystem::path folder_of(const std::string& name) const { return data_ / "snapshots" / name; }

  std::filesystem::path data_;
  Replace replace_;
  std::mutex mutex_;
  std::thread thread_;  // of the last return
};

// Counts the turns that are under way, and keeps further ones waiting while it is closed. Threads: any.
class Turnstile {
 public:
  bool enter();  // false while closed
  // For work on behalf of turns that are inside, which may be waiting for it: false only if nobody is and it is
  // closed. Then leave() as well.
  bool join();
  void leave();
  // Calls `go` when it is open; perhaps at once.
  void when_open(std::function<void()> go);
  // Closed, and nobody inside. False, and open again: somebody stayed longer than `patience`.
  bool close(std::chrono::milliseconds patience);
  void open();

 private:
  mutable std::mutex mutex_;
  std::condition_variable left_;
  bool closed_ = false;
  std::int64_t inside_ = 0;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace fog

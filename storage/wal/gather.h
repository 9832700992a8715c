// Gathering: records that one thread makes one after another go to disk together.
//
// The log's thread begins to write as soon as it hears of a record, so of ten requests that are ready at once it
// would sync the first by itself and the other nine after it. A thread that knows that more is to come (an io
// thread of the server, with requests waiting in its queue) holds a Gathering while it appends, and tells the log
// when there is no more. Whoever calls wait_durable(), and a buffer that has grown large, tell it in any case.
//
//   {
//     const wal::Gathering gathering;
//     ... append() ...
//     if (gathering.has_put_off()) ask to be called when the queue is empty
//   }
//   ... later, on the same thread or another: gatherer->write_gathered();
#pragma once

namespace fog::wal {

// Of this thread, while it lives. They do not nest.
class Gathering {
 public:
  Gathering() { current_ = this; }
  ~Gathering() { current_ = nullptr; }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  // A record was appended and the log's thread has not been told.
  bool has_put_off() const { return has_put_off_; }

  // For the log.
  static Gathering* current() { return current_; }
  void put_off() { has_put_off_ = true; }

 private:
  static inline thread_local Gathering* current_ = nullptr;
  bool has_put_off_ = false;
};

// A log that gathers. Any thread.
class Gatherer {
 public:
  virtual ~Gatherer() = default;
  // Writes what was put off; cheap when there is nothing.
  virtual void write_gathered() = 0;
};

}  // namespace fog::wal

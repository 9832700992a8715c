// Sink: where a streaming operation (StartLiveTail, GetLogObject) writes its events.
//
// The handler checks its input, keeps `sink.shared_from_this()` and returns Ok at once; an Error
// returned instead is answered as an ordinary fault. Events may be sent from any thread, also
// before the handler returns. send() never blocks: it says false once the client has gone or has
// fallen too far behind, and then everything sent is dropped.
#pragma once

#include <memory>

#include "api/common/shape.h"
#include "storage/base/result.h"

namespace fog {

class Sink : public std::enable_shared_from_this<Sink> {
 public:
  virtual ~Sink() = default;

  // `event` is the stream's union with one member set:
  //   sink.send(StartLiveTailResponseStream{.session_start = ...})
  // A member that is an error of the model goes out as an exception.
  template <typename Event>
  bool send(const Event& event) {
    return send(Event::kShape, &event);
  }
  virtual bool send(const Shape& stream, const void* event) = 0;
  // Ends the stream in order; `fail` tells the client why first.
  virtual void finish() = 0;
  virtual void fail(const Error& error) = 0;
  virtual bool is_open() const = 0;
};

}  // namespace fog

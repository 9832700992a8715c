// Entrance: what the HTTP server calls: the pipeline, but for the moments in which the stores behind it are
// replaced; turns that come then wait. It stays where it is while the pipeline is made anew.
#pragma once

#include "server/http.h"
#include "server/pipeline.h"
#include "server/snapshots.h"

namespace fog {

class Entrance final : public http::Handler {
 public:
  Entrance(Turnstile& turnstile, Pipeline& pipeline) : turnstile_(turnstile), pipeline_(pipeline) {}

  void handle(http::Turn& turn) override {
    if (turnstile_.enter()) return pipeline_.handle(turn);  // which leaves when it has the answer
    turn.hold([this](http::Resume resume) { turnstile_.when_open([resume] { resume(); }); }, [this, &turn] { handle(turn); });
  }

  // A turn that waits for what this begins is inside, and the pipeline is the one it came to.
  void round_ended() override {
    if (!turnstile_.join()) return;
    pipeline_.round_ended();
    turnstile_.leave();
  }

  void refuse(const http::Fault& fault, std::string_view peer, http::Response& response) override {
    if (!turnstile_.enter()) {
      response.status = fault.status;
      return;
    }
    pipeline_.refuse(fault, peer, response);
    turnstile_.leave();
  }

 private:
  Turnstile& turnstile_;
  Pipeline& pipeline_;
};

}  // namespace fog

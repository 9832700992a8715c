// Metadata: what a program on an EC2 instance or in an ECS task can ask about the place where it runs, from a small
// file, so that the code that asks can be tested.
//
//   {"account": "123456789012", "region": "eu-central-1",
//    "ec2": {"instance_id": "i-0123456789abcdef0", "instance_type": "c7g.large", "role": "worker", "imdsv1": false,
//            "user_data": "...", "tags": {"Name": "worker"}, "values": {"meta-data/ami-id": "ami-1"}},
//    "ecs": {"cluster": "tools", "family": "worker", "revision": "3", "container": "app", "image": "app:1",
//            "authorization": "...", "id": "..."},
//    "credentials": {"access_key": "...", "secret_key": "...", "session_token": "..."}}
//
// Everything has a default but "ec2" or "ecs" itself: without one that place is not there. Instance metadata is served
// at /latest/ (and dated versions) with the tokens of IMDSv2, task metadata at /v3/ID and /v4/ID, its credentials at
// /v2/credentials/ID. Any thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/common/http_message.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"
#include "storage/base/random.h"
#include "storage/base/result.h"

namespace fog::neighbours {

class Metadata {
 public:
  // Errors name the member that is wrong.
  static Result<std::unique_ptr<Metadata>> read(std::string_view json, Random& random);

  // Nothing: not a path of metadata. Tokens and credentials live in real time, as SDKs compare them with it.
  std::optional<http::Response> answer(const http::Request& request, Timestamp real_now);

 private:
  explicit Metadata(Random& random) : random_(random) {}
  http::Response token(const http::Request& request, Timestamp now);
  http::Response instance(const http::Request& request, std::string_view path, Timestamp now);
  http::Response task(const http::Request& request, std::string_view path, Timestamp now);
  std::string credentials(Timestamp now, bool of_task) const;

  struct Facts {
    std::string account = "000000000000";
    std::string region = "us-east-1";
    std::string access_key, secret_key, session_token;
    bool has_instance = false;
    bool has_task = false;
    bool answers_v1 = false;
    std::string role;
    std::map<std::string, std::string> values;  // "meta-data/instance-id" -> text
    std::string task_id, task_authorization, task_arn, task_role_arn;
    std::string container_json, task_json, stats_json;
  };
  Random& random_;
  Facts facts_;
  Guarded<std::map<std::string, Timestamp>> tokens_;  // until when each is good
};

}  // namespace fog::neighbours

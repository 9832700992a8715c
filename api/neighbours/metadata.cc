#include "api/neighbours/metadata.h"

#include <fmt/format.h>

#include <charconv>

#include <nlohmann/json.hpp>

#include "api/codec/text.h"
#include "api/neighbours/request.h"

namespace fog::neighbours {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kTtlSecondsMax = 21'600;
constexpr std::size_t kTokensMax = 10'000;
constexpr std::chrono::hours kCredentialsLast{6};
constexpr std::string_view kTtlHeader = "X-aws-ec2-metadata-token-ttl-seconds";
constexpr std::string_view kTokenHeader = "X-aws-ec2-metadata-token";

http::Response text(std::string body, int status = 200, std::string_view type = "text/plain") {
  http::Response response;
  response.status = status;
  response.set("Content-Type", std::string(type));
  response.body = std::move(body);
  return response;
}

http::Response page(int status, std::string_view what) {
  return text(fmt::format("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html><head><title>{0} - {1}</title></head><body><h1>{0} - {1}</h1></body></html>\n", status, what), status, "text/html");
}

std::string iso(Timestamp time) {
  std::string out;
  append_iso8601(std::chrono::floor<std::chrono::seconds>(time), out);
  return out;
}

// "2021-07-15", "1.0", "latest"
bool is_version(std::string_view segment) {
  if (segment == "latest" || segment == "1.0") return true;
  return segment.size() == 10 && segment[4] == '-' && segment[7] == '-' && segment.find_first_not_of("0123456789-") == std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<Metadata>> Metadata::read(std::string_view text_of_file, Random& random) {
  const Json file = Json::parse(text_of_file, nullptr, false);
  if (!file.is_object()) return Error::invalid("the metadata file is not a JSON object");
  std::unique_ptr<Metadata> made(new Metadata(random));
  Facts& facts = made->facts_;
  std::string wrong;
  const auto take = [&](const Json& object, const char* name, std::string fallback) {
    if (!object.contains(name)) return fallback;
    if (object[name].is_string()) return object[name].get<std::string>();
    wrong = fmt::format("\"{}\" is not a text", name);
    return fallback;
  };
  for (const auto& [name, value] : file.items()) {
    if (name != "account" && name != "region" && name != "ec2" && name != "ecs" && name != "credentials") return Error::invalid(fmt::format("\"{}\" is not known here", name));
  }
  facts.account = take(file, "account", facts.account);
  if (!is_account(facts.account)) return Error::invalid("\"account\" is not twelve digits");
  facts.region = take(file, "region", facts.region);
  const std::string_view partition = partition_of_region(facts.region);
  const Json credentials = file.value("credentials", Json::object());
  if (!credentials.is_object()) return Error::invalid("\"credentials\" is not an object");
  facts.access_key = take(credentials, "access_key", key_for_account(kOwnKeyPrefix, facts.account, 1));
  facts.secret_key = take(credentials, "secret_key", "fogwatch");
  facts.session_token = take(credentials, "session_token", "FwoGZXIvYXdzE" + random.hex(40));

  if (file.contains("ec2")) {
    const Json& ec2 = file["ec2"];
    if (!ec2.is_object()) return Error::invalid("\"ec2\" is not an object");
    facts.has_instance = true;
    facts.answers_v1 = ec2.contains("imdsv1") && ec2["imdsv1"] == true;
    facts.role = take(ec2, "role", "fogwatch");
    const std::string id = take(ec2, "instance_id", "i-0123456789abcdef0");
    const std::string type = take(ec2, "instance_type", "t3.micro");
    const std::string zone = take(ec2, "availability_zone", facts.region + "a");
    const std::string image = take(ec2, "ami_id", "ami-0123456789abcdef0");
    const std::string address = take(ec2, "local_ipv4", "10.0.0.10");
    std::string dashed = address;
    for (char& c : dashed) c = c == '.' ? '-' : c;
    const std::string host = take(ec2, "hostname", fmt::format("ip-{}.{}.compute.internal", dashed, facts.region));
    const std::string mac = take(ec2, "mac", "02:00:00:00:00:01");
    auto& v = facts.values;
    v = {{"meta-data/ami-id", image}, {"meta-data/ami-launch-index", "0"}, {"meta-data/hostname", host}, {"meta-data/instance-action", "none"},
         {"meta-data/instance-id", id}, {"meta-data/instance-life-cycle", "on-demand"}, {"meta-data/instance-type", type}, {"meta-data/local-hostname", host},
         {"meta-data/local-ipv4", address}, {"meta-data/mac", mac}, {"meta-data/placement/availability-zone", zone}, {"meta-data/placement/region", facts.region},
         {"meta-data/profile", "default-hvm"}, {"meta-data/reservation-id", "r-0123456789abcdef0"}, {"meta-data/security-groups", "default"},
         {"meta-data/services/domain", "amazonaws.com"}, {"meta-data/services/partition", std::string(partition)},
         {"meta-data/network/interfaces/macs/" + mac + "/local-ipv4s", address}, {"meta-data/network/interfaces/macs/" + mac + "/device-number", "0"}};
    v["meta-data/iam/info"] = Json{{"Code", "Success"}, {"LastUpdated", "2026-01-01T00:00:00Z"},
                                   {"InstanceProfileArn", fmt::format("arn:{}:iam::{}:instance-profile/{}", partition, facts.account, facts.role)}, {"InstanceProfileId", "AIPA0123456789ABCDEF0"}}.dump(2);
    v["meta-data/iam/security-credentials/" + facts.role] = "";  // made when asked for
    v["dynamic/instance-identity/document"] =
        Json{{"accountId", facts.account}, {"architecture", take(ec2, "architecture", "x86_64")}, {"availabilityZone", zone}, {"billingProducts", nullptr}, {"imageId", image},
             {"instanceId", id}, {"instanceType", type}, {"kernelId", nullptr}, {"pendingTime", "2026-01-01T00:00:00Z"}, {"privateIp", address}, {"ramdiskId", nullptr},
             {"region", facts.region}, {"version", "2017-09-30"}}.dump(2);
    if (ec2.contains("user_data")) v["user-data"] = take(ec2, "user_data", "");
    for (const auto& [member, prefix] : {std::pair("tags", "meta-data/tags/instance/"), std::pair("values", "")}) {
      const Json given = ec2.value(member, Json::object());
      if (!given.is_object()) return Error::invalid(fmt::format("\"{}\" is not an object", member));
      for (const auto& [name, value] : given.items()) {
        if (!value.is_string()) return Error::invalid(fmt::format("\"{}\": \"{}\" is not a text", member, name));
        v[prefix + name] = value.get<std::string>();
      }
    }
  }
  if (file.contains("ecs")) {
    const Json& ecs = file["ecs"];
    if (!ecs.is_object()) return Error::invalid("\"ecs\" is not an object");
    facts.has_task = true;
    const std::string cluster = take(ecs, "cluster", "default");
    const std::string family = take(ecs, "family", "fogwatch");
    const std::string revision = take(ecs, "revision", "1");
    const std::string name = take(ecs, "container", family);
    facts.task_id = take(ecs, "id", "158d1c8083dd49d6b527399fd6414f5c");
    facts.task_authorization = take(ecs, "authorization", "");
    const auto arn = [&](std::string_view what) { return fmt::format("arn:{}:ecs:{}:{}:{}", partition, facts.region, facts.account, what); };
    facts.task_arn = arn(fmt::format("task/{}/{}", cluster, facts.task_id));
    facts.task_role_arn = fmt::format("arn:{}:iam::{}:role/{}", partition, facts.account, take(ecs, "role", family));
    const std::string docker_id = facts.task_id + "-0000000001";
    const Json container{{"DockerId", docker_id}, {"Name", name}, {"DockerName", name}, {"Image", take(ecs, "image", name + ":latest")},
                         {"ImageID", "sha256:0000000000000000000000000000000000000000000000000000000000000000"},
                         {"Labels", {{"com.amazonaws.ecs.cluster", arn("cluster/" + cluster)}, {"com.amazonaws.ecs.container-name", name}, {"com.amazonaws.ecs.task-arn", facts.task_arn},
                                     {"com.amazonaws.ecs.task-definition-family", family}, {"com.amazonaws.ecs.task-definition-version", revision}}},
                         {"DesiredStatus", "RUNNING"}, {"KnownStatus", "RUNNING"}, {"Limits", {{"CPU", 2}}}, {"CreatedAt", "2026-01-01T00:00:00.000000000Z"},
                         {"StartedAt", "2026-01-01T00:00:01.000000000Z"}, {"Type", "NORMAL"}, {"ContainerARN", arn(fmt::format("container/{}/{}/1", cluster, facts.task_id))},
                         {"LogDriver", "awslogs"},
                         {"LogOptions", {{"awslogs-group", take(ecs, "log_group", "/ecs/" + family)}, {"awslogs-region", facts.region}, {"awslogs-stream", fmt::format("ecs/{}/{}", name, facts.task_id)}}},
                         {"Networks", Json::array({{{"NetworkMode", "awsvpc"}, {"IPv4Addresses", Json::array({take(ecs, "ipv4", "10.0.0.20")})}}})}};
    facts.container_json = container.dump();
    facts.task_json = Json{{"Cluster", arn("cluster/" + cluster)}, {"TaskARN", facts.task_arn}, {"Family", family}, {"Revision", revision}, {"DesiredStatus", "RUNNING"}, {"KnownStatus", "RUNNING"},
                           {"Limits", {{"CPU", 0.25}, {"Memory", 512}}}, {"PullStartedAt", "2026-01-01T00:00:00.000000000Z"}, {"PullStoppedAt", "2026-01-01T00:00:00.500000000Z"},
                           {"AvailabilityZone", facts.region + "a"}, {"LaunchType", take(ecs, "launch_type", "FARGATE")}, {"Containers", Json::array({container})}}.dump();
    facts.stats_json = Json{{"read", "2026-01-01T00:00:02Z"}, {"name", name}, {"id", docker_id}, {"cpu_stats", {{"online_cpus", 1}}}, {"memory_stats", {{"usage", 0}}}}.dump();
  }
  if (!wrong.empty()) return Error::invalid(wrong);
  return made;
}

std::string Metadata::credentials(Timestamp now, bool of_task) const {
  const std::string until = iso(now + kCredentialsLast);
  if (of_task) {
    return Json{{"RoleArn", facts_.task_role_arn}, {"AccessKeyId", facts_.access_key}, {"SecretAccessKey", facts_.secret_key}, {"Token", facts_.session_token}, {"Expiration", until}}.dump();
  }
  return Json{{"Code", "Success"}, {"LastUpdated", iso(now)}, {"Type", "AWS-HMAC"}, {"AccessKeyId", facts_.access_key}, {"SecretAccessKey", facts_.secret_key},
              {"Token", facts_.session_token}, {"Expiration", until}}.dump(2);
}

std::optional<http::Response> Metadata::answer(const http::Request& request, Timestamp real_now) {
  std::string_view path = request.target;
  path = path.substr(0, path.find('?'));
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  const std::string_view first = path.substr(0, path.find('/'));
  const std::string_view rest = path.substr(std::min(path.size(), first.size() + 1));
  if (facts_.has_instance && is_version(first)) {
    if (rest == "api/token") return token(request, real_now);
    if (request.method == "GET" || request.method == "HEAD") return instance(request, rest, real_now);
    return page(405, "Method Not Allowed");
  }
  if (!facts_.has_task || request.method != "GET") return std::nullopt;
  if (first == "v2" || first == "v3" || first == "v4") return task(request, path, real_now);
  return std::nullopt;
}

http::Response Metadata::token(const http::Request& request, Timestamp now) {
  if (request.method != "PUT") return page(405, "Method Not Allowed");
  // A request that went through a proxy comes from somebody else.
  if (request.has_header("x-forwarded-for")) return page(403, "Forbidden");
  const std::string_view given = request.header(kTtlHeader);
  int seconds = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), seconds);
  if (given.empty() || error != std::errc() || end != given.data() + given.size() || seconds < 1 || seconds > kTtlSecondsMax) return page(400, "Bad Request");
  const std::string made = "AQAEA" + random_.hex(48) + "==";
  {
    auto tokens = tokens_.lock();
    std::erase_if(*tokens, [&](const auto& entry) { return entry.second <= now; });
    if (tokens->size() >= kTokensMax) tokens->erase(tokens->begin());
    tokens->emplace(made, now + std::chrono::seconds(seconds));
  }
  http::Response response = text(made);
  response.set(std::string(kTtlHeader), std::to_string(seconds));
  return response;
}

http::Response Metadata::instance(const http::Request& request, std::string_view path, Timestamp now) {
  const std::string given(request.header(kTokenHeader));
  if (!given.empty() || !facts_.answers_v1) {
    const auto tokens = tokens_.lock_shared();
    const auto found = tokens->find(given);
    if (found == tokens->end() || found->second <= now) return page(401, "Unauthorized");
  }
  const std::string credentials_path = "meta-data/iam/security-credentials/" + facts_.role;
  if (path == credentials_path) return text(credentials(now, false));
  if (const auto found = facts_.values.find(std::string(path)); found != facts_.values.end()) {
    const bool is_user_data = path == "user-data";
    return text(found->second, 200, is_user_data ? "application/octet-stream" : "text/plain");
  }
  // A folder: the names in it, folders with a slash.
  std::string prefix(path);
  if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';
  std::string listing;
  std::string last;
  for (auto it = facts_.values.lower_bound(prefix); it != facts_.values.end() && it->first.starts_with(prefix); ++it) {
    const std::string below = it->first.substr(prefix.size());
    const std::size_t slash = below.find('/');
    std::string name = slash == std::string::npos ? below : below.substr(0, slash + 1);
    if (name == last) continue;
    listing += (listing.empty() ? "" : "\n") + name;
    last = std::move(name);
  }
  return listing.empty() ? page(404, "Not Found") : text(listing);
}

http::Response Metadata::task(const http::Request& request, std::string_view path, Timestamp now) {
  const auto as_json = [](std::string body) { return text(std::move(body), 200, "application/json"); };
  if (path == "v2/credentials/" + facts_.task_id) {
    if (!facts_.task_authorization.empty() && request.header("authorization") != facts_.task_authorization) return text(R"({"code":"AccessDenied","message":"The authorization token is wrong."})", 401, "application/json");
    return as_json(credentials(now, true));
  }
  const std::string_view version = path.substr(0, 2);
  std::string_view rest = path.substr(std::min<std::size_t>(path.size(), 3));
  if (version == "v2" || !rest.starts_with(facts_.task_id)) return text(R"("V4 container metadata handler: unable to get container ID from request")", 404, "application/json");
  rest.remove_prefix(facts_.task_id.size());
  if (rest.empty() || rest == "/") return as_json(facts_.container_json);
  if (rest == "/task" || rest == "/taskWithTags") return as_json(facts_.task_json);
  if (rest == "/stats") return as_json(facts_.stats_json);
  if (rest == "/task/stats") {
    Json all = Json::object();
    all[Json::parse(facts_.container_json)["DockerId"].get<std::string>()] = Json::parse(facts_.stats_json);
    return as_json(all.dump());
  }
  return text("404 page not found", 404);
}

}  // namespace fog::neighbours

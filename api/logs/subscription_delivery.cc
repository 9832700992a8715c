// A record of an outlet's queue: events varint | queued zigzag ms | partition key text | gzip of the message.
#include "api/logs/subscription_delivery.h"

#include <fmt/format.h>

#include <fstream>

#include "api/auth/sign.h"
#include "api/codec/gzip_write.h"
#include "api/codec/json.h"
#include "api/codec/text.h"
#include "api/logs/common.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr Millis kAgeMax = std::chrono::hours(24);
constexpr Millis kFirstPause{1'000};
constexpr Millis kPauseMax{300'000};
constexpr std::size_t kTopicMessageMax = 256 * 1024;
constexpr Millis kTimeout{15'000};

// The fourth part of arn:partition:service:region:account:resource and the others.
std::string_view arn_part(std::string_view arn, int index) {
  for (; index > 0; --index) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return index == 0 ? arn.substr(0, arn.find(':')) : arn;
}
std::string_view arn_resource(std::string_view arn) {
  for (int i = 0; i < 5; ++i) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return arn;
}
// The value of the metrics' dimension DestinationType.
std::string_view type_of(std::string_view arn) {
  const std::string_view service = arn_part(arn, 2);
  if (service == "lambda") return "Lambda";
  if (service == "kinesis") return "Kinesis";
  if (service == "firehose") return "Firehose";
  if (service == "sns") return "SNS";
  if (service == "logs") return "Destination";
  return "Other";
}

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}
std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(bytes, out);
  return out;
}
std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}
bool in_scope(std::string_view own, std::string_view scope) { return scope.empty() || own == scope; }

}  // namespace

std::string data_message(const SubscriptionRule& rule, const EventBatch& batch, const std::vector<std::size_t>& rows) {
  std::string out = R"({"messageType":"DATA_MESSAGE","owner":)";
  append_json_string(batch.account, out);
  out += R"(,"logGroup":)";
  append_json_string(batch.group_name, out);
  out += R"(,"logStream":)";
  append_json_string(batch.stream_name, out);
  out += R"(,"subscriptionFilters":[)";
  append_json_string(rule.filter_name, out);
  out += R"(],"logEvents":[)";
  const bool columns = rule.pattern.pattern->kind() == filter_pattern::Pattern::Kind::kDelimited;
  std::string masked;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const std::size_t i = rows[k];
    const EventBatch::Event& event = batch.events[i];
    if (k > 0) out += ',';
    out += R"({"id":")" + position_digits({event.timestamp_ms, batch.sequence(i)}, batch.stream) + R"(","timestamp":)";
    append_integer(event.timestamp_ms, out);
    out += R"(,"message":)";
    std::string_view message = batch.message(i);
    if (batch.rules != nullptr) {
      masked.assign(message);
      if (rule.on_transformed) {
        if (auto made = batch.rules->transform(batch.ingestion_ms, batch.sequence(i), message, batch.stream_name)) masked = std::move(*made);
      }
      batch.rules->mask(batch.ingestion_ms, batch.sequence(i), masked);
      message = masked;
    }
    append_json_string(message, out);
    if (columns || !rule.system_fields.empty()) {
      out += R"(,"extractedFields":{)";
      bool first = true;
      const auto field = [&](std::string_view name, std::string_view value) {
        if (!first) out += ',';
        first = false;
        append_json_string(name, out);
        out += ':';
        append_json_string(value, out);
      };
      if (columns) {
        for (const auto& [name, value] : rule.pattern.pattern->extract(message)) {
          // Only named columns: $name, not $3.
          if (name.size() > 1 && (name[1] < '0' || name[1] > '9')) field(std::string_view(name).substr(1), value);
        }
      }
      for (const auto& [name, value] : rule.system_fields) field(name, value);
      out += '}';
    }
    out += '}';
  }
  out += ']';
  if (rule.of_account) out += R"(,"policyLevel":"ACCOUNT_LEVEL_POLICY")";
  return out + "}";
}

SubscriptionDelivery::~SubscriptionDelivery() {
  const std::lock_guard lock(life_->mutex);
  life_->over = true;
}

std::optional<SubscriptionDelivery::Target> SubscriptionDelivery::target_of(std::string_view arn) const {
  std::string resolved(arn);
  if (arn_part(arn, 2) == "logs" && arn_resource(arn).starts_with("destination:")) {
    auto target = deps_.resolve ? deps_.resolve(arn) : std::nullopt;
    if (!target) return std::nullopt;
    resolved = std::move(*target);
  }
  const LogDestination* best = nullptr;
  for (const LogDestination& each : deps_.destinations)
    if ((std::string_view(resolved).starts_with(each.arn_prefix) || arn.starts_with(each.arn_prefix)) &&
        (best == nullptr || each.arn_prefix.size() > best->arn_prefix.size()))
      best = &each;
  Target target;
  target.arn = resolved;
  target.destination = best;
  const std::string_view service = arn_part(resolved, 2);
  if (best == nullptr) {
    if (service != "sns" || deps_.topics == nullptr) return std::nullopt;
    target.kind = Target::Kind::kTopic;
    target.to = resolved;
    return target;
  }
  target.to = best->to;
  if (best->to.starts_with("aws+")) {
    target.to = without_slash(best->to.substr(4));
    if (service == "lambda") target.kind = Target::Kind::kLambda;
    else if (service == "kinesis") target.kind = Target::Kind::kKinesis;
    else if (service == "firehose") target.kind = Target::Kind::kFirehose;
    else return std::nullopt;
  } else if (best->to.starts_with("sns:")) {
    if (deps_.topics == nullptr) return std::nullopt;
    target.kind = Target::Kind::kTopic;
    target.to = best->to.substr(4);
  } else if (best->to.starts_with("file:")) {
    target.kind = Target::Kind::kFolder;
    target.to = best->to.substr(5);
  }
  return target;
}

bool SubscriptionDelivery::leads_somewhere(std::string_view arn) const { return target_of(arn).has_value(); }

void SubscriptionDelivery::set_sites(std::vector<SubscriptionSite> sites) {
  std::vector<OutletPtr> gone;
  {
    const std::lock_guard lock(mutex_);
    sites_.clear();
    for (SubscriptionSite& site : sites) sites_[site.id] = std::move(site);
    for (auto it = outlets_.begin(); it != outlets_.end();) {
      const auto site = sites_.find(it->first);
      if (site != sites_.end()) {
        it->second->site = site->second;
        ++it;
        continue;
      }
      it->second->removed = true;
      gone.push_back(it->second);
      it = outlets_.erase(it);
    }
    // What a former process left behind.
    std::error_code error;
    if (!deps_.folder.empty() && std::filesystem::is_directory(deps_.folder, error)) {
      std::vector<std::filesystem::path> orphans;
      for (const auto& entry : std::filesystem::directory_iterator(deps_.folder, error)) {
        const std::uint64_t id = std::strtoull(entry.path().filename().c_str(), nullptr, 16);
        const auto site = sites_.find(id);
        if (site == sites_.end()) orphans.push_back(entry.path());
        else outlet_of(site->second);
      }
      for (const auto& orphan : orphans) std::filesystem::remove_all(orphan, error);
    }
  }
}

// Under the lock.
SubscriptionDelivery::OutletPtr SubscriptionDelivery::outlet_of(const SubscriptionSite& site) {
  OutletPtr& outlet = outlets_[site.id];
  if (outlet != nullptr) return outlet;
  outlet = std::make_shared<Outlet>();
  outlet->site = site;
  Spool::Options options{.folder = {}, .bytes_max = deps_.queue_bytes_max};
  if (!deps_.folder.empty()) options.folder = deps_.folder / fmt::format("{:016x}", site.id);
  auto spool = Spool::open(options);
  if (!spool.ok()) {
    LOG_ERROR("subscription filter {}: its queue cannot be opened, and is kept in memory: {}", site.filter_name, spool.error().message());
    options.folder.clear();
    spool = Spool::open(options);
  }
  outlet->spool = std::move(spool).value();
  return outlet;
}

void SubscriptionDelivery::count(const SubscriptionSite& site, std::string_view type, const Report& report) {
  if (deps_.report) deps_.report(site, type, report);
}

void SubscriptionDelivery::queue(const SubscriptionSite& site, std::uint64_t events, std::string_view partition_key, std::string_view json) {
  std::string record;
  ByteWriter to(record);
  to.varint(events);
  to.zigzag(to_ms(deps_.clock.now()));
  to.text(partition_key);
  to.raw(gzip(json));
  Report lost;
  {
    const std::lock_guard lock(mutex_);
    const OutletPtr outlet = outlet_of(site);
    const Status pushed = outlet->spool->push(record);
    outlet->dirty = true;
    if (!pushed.ok()) {
      LOG_ERROR("subscription filter {}: {}", site.filter_name, pushed.error().message());
      ++lost.errors;
    }
    lost.errors += outlet->spool->dropped() - outlet->dropped_seen;
    outlet->dropped_seen = outlet->spool->dropped();
    stats_.dropped += lost.errors;
  }
  if (lost.errors > 0) count(site, type_of(site.destination_arn), lost);
}

void SubscriptionDelivery::offer(const SubscriptionRule& rule, const EventBatch& batch, const std::vector<std::size_t>& rows) {
  SubscriptionSite site{.id = rule.id, .account = batch.account, .region = batch.region,
                        .group_name = rule.of_account ? std::string() : batch.group_name, .filter_name = rule.filter_name,
                        .destination_arn = rule.destination_arn};
  if (!target_of(rule.destination_arn)) {
    count(site, type_of(rule.destination_arn), {.errors = 1});
    const std::lock_guard lock(mutex_);
    ++stats_.dropped;
    return;
  }
  const std::string key = rule.random ? deps_.random.uuid() : fmt::format("{:032x}", hash64(batch.stream_name));
  queue(site, rows.size(), key, data_message(rule, batch, rows));
}

void SubscriptionDelivery::offer_control(const SubscriptionSite& site) {
  const std::string_view type = type_of(site.destination_arn);
  if ((type != "Kinesis" && type != "Firehose") || !target_of(site.destination_arn)) return;
  const std::int64_t now_ms = to_ms(deps_.clock.now());
  queue(site, 0, fmt::format("{:032x}", hash64(site.filter_name)),
        fmt::format(R"({{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],)"
                    R"("logEvents":[{{"id":"","timestamp":{},"message":"CWL CONTROL MESSAGE: Checking health of destination {}."}}]}})",
                    now_ms, type == "Kinesis" ? "Kinesis stream" : "Firehose"));
  if (deps_.wake) deps_.wake();
}

void SubscriptionDelivery::sync() {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : outlets_) {
    Outlet& outlet = *entry.second;
    if (!outlet.dirty) continue;
    outlet.dirty = false;
    if (const Status synced = outlet.spool->sync(); !synced.ok()) LOG_ERROR("queue of {}: {}", outlet.site.filter_name, synced.error().message());
  }
}

// ---- leaving ---------------------------------------------------------------------------------------------

void SubscriptionDelivery::pump(Timestamp now) {
  std::unique_lock lock(mutex_);
  std::vector<OutletPtr> ready;
  for (const auto& entry : outlets_) {
    const OutletPtr& outlet = entry.second;
    if (!outlet->in_flight && outlet->spool->records() > 0 && outlet->due <= now) ready.push_back(outlet);
  }
  for (const OutletPtr& outlet : ready) start(outlet, lock, now);
}

void SubscriptionDelivery::start(const OutletPtr& outlet, std::unique_lock<std::mutex>& lock, Timestamp now) {
  while (!outlet->in_flight && !outlet->removed && outlet->due <= now) {
    const auto record = outlet->spool->front();
    if (!record) return;
    ByteReader in(*record);
    Message message;
    message.events = in.varint();
    message.queued_ms = in.zigzag();
    message.partition_key = in.text();
    message.packed = in.rest();
    const SubscriptionSite site = outlet->site;
    const std::string_view type = type_of(site.destination_arn);
    const auto target = in.ok() ? target_of(site.destination_arn) : std::nullopt;
    if (!target || now - from_ms(message.queued_ms) > kAgeMax) {
      outlet->spool->pop();
      outlet->attempts = 0;
      ++stats_.dropped;
      lock.unlock();
      count(site, type, {.errors = 1});
      lock.lock();
      continue;
    }
    outlet->in_flight = true;
    outlet->number = outlet->spool->front_number();
    ++in_flight_;
    lock.unlock();
    const std::size_t bytes = message.packed.size();
    const std::uint64_t events = message.events;
    switch (target->kind) {
      case Target::Kind::kTopic: {
        TopicMessage publication;
        publication.topic_arn = target->to;
        publication.message = fmt::format(R"({{"awslogs":{{"data":"{}"}}}})", base64(message.packed));
        if (publication.message.size() > kTopicMessageMax) {
          done(outlet, events, bytes, 413, type);
        } else {
          const auto published = deps_.topics->publish(publication);
          done(outlet, events, bytes, published.ok() ? 200 : 503, type);
        }
        break;
      }
      case Target::Kind::kFolder: {
        std::error_code error;
        std::filesystem::create_directories(target->to, error);
        std::ofstream file(std::filesystem::path(target->to) / fmt::format("{}-{}.json.gz", message.queued_ms, deps_.random.uuid()),
                           std::ios::binary);
        file << message.packed;
        done(outlet, events, bytes, file.flush() ? 200 : 503, type);
        break;
      }
      default:
        if (deps_.outbound == nullptr) {
          done(outlet, events, bytes, 503, type);
          break;
        }
        deps_.outbound->http(request_for(*target, message), [this, life = life_, outlet, events, bytes, type](Result<OutboundResponse> response) {
          const std::lock_guard alive(life->mutex);
          if (life->over) return;
          done(outlet, events, bytes, response.ok() ? response->status : 0, type);
          if (deps_.wake) deps_.wake();
        });
    }
    lock.lock();
  }
}

OutboundRequest SubscriptionDelivery::request_for(const Target& target, const Message& message) const {
  OutboundRequest request;
  request.timeout = kTimeout;
  const std::string data = base64(message.packed);
  const std::string event = fmt::format(R"({{"awslogs":{{"data":"{}"}}}})", data);
  request.url = target.to;
  const std::string_view resource = arn_resource(target.arn);
  const auto name = [&](std::string_view prefix) {
    return std::string(resource.starts_with(prefix) ? resource.substr(prefix.size()) : resource);
  };
  switch (target.kind) {
    case Target::Kind::kLambda: {
      std::string function = name("function:");
      function.resize(std::min(function.find(':'), function.size()));
      request.url += fmt::format("/2015-03-31/functions/{}/invocations", function);
      request.headers = {{"Content-Type", "application/json"}, {"X-Amz-Invocation-Type", "Event"}};
      request.body = event;
      break;
    }
    case Target::Kind::kKinesis:
      request.url += "/";
      request.headers = {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", "Kinesis_20131202.PutRecord"}};
      request.body = fmt::format(R"({{"StreamName":{},"Data":"{}","PartitionKey":"{}"}})", json_text(name("stream/")), data, message.partition_key);
      break;
    case Target::Kind::kFirehose:
      request.url += "/";
      request.headers = {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", "Firehose_20150804.PutRecord"}};
      request.body = fmt::format(R"({{"DeliveryStreamName":{},"Record":{{"Data":"{}"}}}})", json_text(name("deliverystream/")), data);
      break;
    default:
      request.headers = {{"Content-Type", "application/json"}};
      request.body = event;
      return request;
  }
  sign_request(request, arn_part(target.arn, 2), arn_part(target.arn, 3), target.destination->access_key, target.destination->secret_key,
               deps_.clock.real_now());
  return request;
}

void SubscriptionDelivery::done(const OutletPtr& outlet, std::uint64_t events, std::size_t bytes, int status, std::string_view type) {
  Report report;
  SubscriptionSite site;
  {
    const std::lock_guard lock(mutex_);
    site = outlet->site;
    outlet->in_flight = false;
    --in_flight_;
    // Past the bound of the queue it may have given way meanwhile.
    const auto pop = [&] {
      if (outlet->spool->front_number() == outlet->number) outlet->spool->pop();
    };
    if (status / 100 == 2) {
      pop();
      outlet->attempts = 0;
      outlet->due = {};
      ++stats_.delivered;
      report.events = events;
      report.bytes = bytes;
    } else if (status == 400 || status == 413) {  // will never be taken
      pop();
      outlet->attempts = 0;
      ++stats_.dropped;
      report.errors = 1;
    } else {
      const Millis pause = std::min(kPauseMax, kFirstPause * (1 << std::min(outlet->attempts, 10)));
      ++outlet->attempts;
      outlet->due = deps_.clock.now() + pause;
      ++stats_.failed_attempts;
      if (status == 429) report.throttled = 1;
    }
  }
  if (report.events + report.errors + report.throttled > 0) count(site, type, report);
}

std::optional<Timestamp> SubscriptionDelivery::next_due(Timestamp now) {
  const std::lock_guard lock(mutex_);
  std::optional<Timestamp> due;
  for (const auto& entry : outlets_) {
    const Outlet& outlet = *entry.second;
    if (outlet.in_flight || outlet.spool->records() == 0) continue;
    const Timestamp at = std::max(now, outlet.due);
    due = due ? std::min(*due, at) : at;
  }
  return due;
}

bool SubscriptionDelivery::idle() {
  const std::lock_guard lock(mutex_);
  return in_flight_ == 0;
}

SubscriptionDelivery::Stats SubscriptionDelivery::stats() {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  for (const auto& entry : outlets_) {
    stats.waiting += entry.second->spool->records();
    stats.waiting_bytes += entry.second->spool->bytes();
  }
  return stats;
}

void SubscriptionDelivery::forget(std::string_view account, std::string_view region) {
  const std::lock_guard lock(mutex_);
  for (auto it = outlets_.begin(); it != outlets_.end();) {
    Outlet& outlet = *it->second;
    if (!in_scope(outlet.site.account, account) || !in_scope(outlet.site.region, region)) {
      ++it;
      continue;
    }
    outlet.removed = true;
    while (outlet.spool->records() > 0) outlet.spool->pop();
    sites_.erase(it->first);
    std::error_code error;
    if (!deps_.folder.empty()) std::filesystem::remove_all(deps_.folder / fmt::format("{:016x}", it->first), error);
    it = outlets_.erase(it);
  }
}

}  // namespace fog::logs

#include "server/apply_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "api/apply/apply.h"
#include "api/apply/read.h"
#include "api/auth/sign.h"
#include "api/cloudwatch/shapes.h"
#include "api/logs/shapes.h"
#include "api/sns/shapes.h"
#include "api/sqs/shapes.h"
#include "api/xray/shapes.h"
#include "server/late_curl.h"

namespace fog {
namespace {

constexpr long kTimeoutSeconds = 60;
constexpr std::size_t kAnswerBytesMax = 64u << 20;

const ServiceInfo* service_of(std::string_view name) {
  if (name == "cloudwatch") return &cloudwatch::kService;
  if (name == "logs") return &logs::kService;
  if (name == "sns") return &sns::kService;
  if (name == "sqs") return &sqs::kService;
  if (name == "xray") return &xray::kService;
  return nullptr;
}

const OperationInfo* operation_of(std::string_view service, std::string_view name) {
  const ServiceInfo* info = service_of(service);
  if (info == nullptr) return nullptr;
  for (const OperationInfo* operation : info->operations) {
    if (operation->name == name) return operation;
  }
  return nullptr;
}

// "com.amazonaws.logs#ResourceNotFoundException:http://..." -> "ResourceNotFoundException"
std::string code_of(std::string text) {
  text.resize(std::min(text.find(':'), text.size()));
  return text.substr(text.find('#') == std::string::npos ? 0 : text.find('#') + 1);
}

class Caller {
 public:
  explicit Caller(const ApplyOptions& options) : options_(options), curl_(curl_easy_init(), curl_easy_cleanup) {}

  Result<apply::Reply> call(std::string_view service, std::string_view operation, const apply::Json& input) {
    const ServiceInfo* info = service_of(service);
    const OperationInfo* called = operation_of(service, operation);
    if (info == nullptr || called == nullptr) return Error::internal(fmt::format("{}:{} is unknown", service, operation));
    OutboundRequest request{.url = options_.endpoint + (called->path.empty() ? "/" : std::string(called->path)), .body = input.dump(-1, ' ', false, apply::Json::error_handler_t::replace)};
    if (called->path.empty()) {
      request.headers.emplace_back("Content-Type", service == "logs" ? "application/x-amz-json-1.1" : "application/x-amz-json-1.0");
      request.headers.emplace_back("X-Amz-Target", fmt::format("{}.{}", info->target_prefix, operation));
    } else {
      request.headers.emplace_back("Content-Type", "application/json");
    }
    TRY(const Answer answer, send(std::move(request), info->signing_name));
    apply::Reply reply{.status = static_cast<int>(answer.status)};
    apply::Json body = apply::Json::parse(answer.body.empty() ? "{}" : answer.body, nullptr, false);
    if (reply.ok()) {
      if (!body.is_object()) return Error::invalid(fmt::format("{}: the answer to {} is not JSON: is that a Fogwatch server?", options_.endpoint, operation));
      reply.body = std::move(body);
      return reply;
    }
    reply.message = answer.body.substr(0, 1000);
    if (!body.is_object()) return reply;
    if (body.contains("__type") && body["__type"].is_string()) reply.code = code_of(body["__type"].get<std::string>());
    for (const char* name : {"message", "Message"}) {
      if (body.contains(name) && body[name].is_string()) reply.message = body[name].get<std::string>();
    }
    return reply;
  }

  // Who the key is, as the server sees it.
  Result<std::string> account() {
    OutboundRequest request{.url = options_.endpoint + "/", .body = "Action=GetCallerIdentity&Version=2011-06-15"};
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    TRY(const Answer answer, send(std::move(request), "sts"));
    const std::size_t begin = answer.body.find("<Account>");
    const std::size_t end = answer.body.find("</Account>");
    if (answer.status == 200 && begin != std::string::npos && end != std::string::npos) return answer.body.substr(begin + 9, end - begin - 9);
    return Error::invalid(fmt::format("{} does not say which account this is: {} {}", options_.endpoint, answer.status, answer.body.substr(0, 300)));
  }

 private:
  struct Answer {
    long status = 0;
    std::string body;
  };
  static std::size_t keep(char* data, std::size_t size, std::size_t n, void* to) {
    auto& body = *static_cast<std::string*>(to);
    if (body.size() + size * n > kAnswerBytesMax) return 0;
    body.append(data, size * n);
    return size * n;
  }

  Result<Answer> send(OutboundRequest request, std::string_view signing_name) {
    if (!options_.session_token.empty()) request.headers.emplace_back("X-Amz-Security-Token", options_.session_token);
    sign_request(request, signing_name, options_.region, options_.access_key, options_.secret_key, std::chrono::floor<Millis>(std::chrono::system_clock::now()));
    Answer answer;
    curl_slist* headers = curl_slist_append(nullptr, "Expect:");
    for (const auto& [name, value] : request.headers) headers = curl_slist_append(headers, (name + ": " + value).c_str());
    CURL* handle = curl_.get();
    curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, kTimeoutSeconds);
    curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
    if (!options_.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
    const CURLcode code = curl_easy_perform(handle);
    curl_slist_free_all(headers);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
    if (code != CURLE_OK) return Error::busy(fmt::format("{}: {}", options_.endpoint, curl_easy_strerror(code)));
    return answer;
  }

  const ApplyOptions& options_;
  std::unique_ptr<CURL, void (*)(CURL*)> curl_;
};

Result<std::string> read_text(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  std::ifstream in(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return Error::invalid(fmt::format("{} cannot be read", file));
  return text;
}

void print(const apply::Row& row) {
  fmt::print("{:<10} {}  {}{}\n", word_of(row.what), row.id, row.type, row.note.empty() ? "" : "  " + row.note);
  for (const std::string& path : row.ignored) fmt::print("           {}: the property {} is not applied\n", row.id, path);
}

// "3 created, 1 unchanged"
std::string summary(const apply::Outcome& outcome) {
  using What = apply::Row::What;
  std::string text;
  for (const What what : {What::kCreated, What::kUpdated, What::kUnchanged, What::kDeleted, What::kAbsent, What::kKept, What::kSkipped, What::kFailed}) {
    const auto n = std::count_if(outcome.rows.begin(), outcome.rows.end(), [&](const apply::Row& row) { return row.what == what; });
    if (n > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, word_of(what));
  }
  return text;
}

Result<apply::Outcome> carry_out(const ApplyOptions& options, Caller& caller) {
  TRY(const std::string text, read_text(options.file));
  const auto in_file = [&](const Error& error) { return Error::invalid(fmt::format("{}: {}", options.file, error.message())); };
  auto document = apply::read_template(text);
  if (!document.ok()) return in_file(document.error());
  TRY(const std::string account, caller.account());
  auto source = apply::Template::make(std::move(*document), {.parameters = options.parameters, .account = account, .region = options.region, .stack = options.stack});
  if (!source.ok()) return in_file(source.error());
  for (const std::string& remark : source->remarks()) fmt::print("note       {}\n", remark);
  const apply::Client client{.send = [&](std::string_view service, std::string_view operation, const apply::Json& input) { return caller.call(service, operation, input); },
                             .describe = operation_of};
  return apply::apply(*source, client, options.deletes ? apply::Direction::kDelete : apply::Direction::kApply, print);
}

}  // namespace

int run_apply(const ApplyOptions& options) {
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return 0;
  }
  if (!open_curl().ok()) {
    fmt::print(stderr, "fogwatch apply: {}\n", open_curl().error().message());
    return 2;
  }
  Caller caller(options);
  const auto outcome = carry_out(options, caller);
  if (!outcome.ok()) {
    fmt::print(stderr, "fogwatch apply: {}\n", outcome.error().message());
    return 2;
  }
  for (const auto& [name, value] : outcome->outputs) fmt::print("output     {} = {}\n", name, value);
  fmt::print("{}\n", summary(*outcome));
  return outcome->has_failed() ? 1 : 0;
}

}  // namespace fog

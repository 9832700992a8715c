#include "api/control/key_pages.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/auth/keys.h"
#include "api/auth/password.h"
#include "api/auth/users.h"
#include "api/control/json_page.h"

namespace fog {
namespace {

using page::Json;

constexpr std::string_view kKeys = "/_fogwatch/keys";
constexpr std::string_view kUsers = "/_fogwatch/users";
constexpr std::size_t kSecretDigits = 40;

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

// What follows "/_fogwatch/keys/"; "" at the list itself.
std::string name_in(std::string_view path, std::string_view list) {
  return path.size() > list.size() + 1 ? page::percent_decoded(path.substr(list.size() + 1)) : std::string();
}

bool is_below(std::string_view path, std::string_view list) {
  return path == list || (path.starts_with(list) && path.size() > list.size() && path[list.size()] == '/');
}

http::Response bad_body(std::string_view message) { return page::error(400, "InvalidBody", message); }

}  // namespace

bool KeyPages::owns(std::string_view path) { return is_below(path, kKeys) || is_below(path, kUsers); }

http::Response KeyPages::answer(const http::Request& request) {
  const std::string_view path = path_of(request.target);
  const bool is_keys = is_below(path, kKeys);
  const std::string name = name_in(path, is_keys ? kKeys : kUsers);
  const std::string_view method = request.method;
  if (name.empty() && (method == "GET" || method == "HEAD")) return list();
  if (parts_.file.empty()) return page::error(404, "NotAvailable", "Any credentials do on this server; start it with --keys-file FILE to have keys.");
  if (name.empty()) {
    if (method != "POST") return page::wrong_method("GET, POST");
    return is_keys ? add_key(request) : add_user(request);
  }
  if (method == "DELETE") return changed(is_keys ? revoke_key(parts_.file, name) : remove_user(parts_.file, name), page::json(Json::object()));
  if (method != "PUT") return page::wrong_method("PUT, DELETE");
  return is_keys ? change_key(request, name) : change_user(request, name);
}

http::Response KeyPages::list() {
  Json out{{"enforced", !parts_.file.empty()}, {"default_account", parts_.default_account}, {"keys", Json::array()}, {"users", Json::array()}};
  if (parts_.file.empty()) return page::json(out);
  auto text = describe_keys_file(parts_.file);
  if (!text.ok()) return page::error(500, "KeysFile", text.error().message());
  const Json document = Json::parse(*text, nullptr, false);
  out["keys"] = document["keys"];
  out["users"] = document["users"];
  return page::json(out);
}

http::Response KeyPages::changed(const Status& status, const http::Response& done) {
  if (!status.ok()) {
    const std::string& why = status.error().message();
    const bool is_missing = why.find(": there is no ") != std::string::npos;
    // The file's own name is nothing that a caller needs to know.
    const std::string file = parts_.file.string() + ": ";
    return page::error(is_missing ? 404 : status.error().kind() == ErrorKind::kInvalid ? 400 : 500, is_missing ? "NotFound" : "InvalidKey",
                       why.starts_with(file) ? why.substr(file.size()) : why);
  }
  if (const Status loaded = parts_.reload(); !loaded.ok()) return page::error(500, "KeysFile", loaded.error().message());
  return done;
}

http::Response KeyPages::add_key(const http::Request& request) {
  const auto body = page::object_of(request);
  if (!body) return bad_body("The body is not a JSON object.");
  NewKey key{.name = page::text(*body, "name"), .access_key = {}, .secret_key = parts_.random.hex(kSecretDigits), .account = page::text(*body, "account"), .policy = {}};
  if (key.account.empty()) key.account = parts_.default_account;
  key.access_key = parts_.make_access_key(key.account);
  Status done = fog::add_key(parts_.file, key);
  if (done.ok() && body->contains("policies")) {
    done = set_key_policies(parts_.file, key.access_key, (*body)["policies"].dump());
    // A key whose policies are wrong is not left behind without any.
    if (!done.ok()) {
      if (const Status undone = revoke_key(parts_.file, key.access_key); !undone.ok()) return changed(undone, {});
    }
  }
  return changed(done, page::json({{"name", key.name}, {"access_key", key.access_key}, {"secret_key", key.secret_key}, {"account", key.account}}));
}

http::Response KeyPages::change_key(const http::Request& request, const std::string& access_key) {
  const auto body = page::object_of(request);
  if (!body || !body->contains("policies")) return bad_body("Give \"policies\", a list of policy documents.");
  return changed(set_key_policies(parts_.file, access_key, (*body)["policies"].dump()), page::json(Json::object()));
}

http::Response KeyPages::add_user(const http::Request& request) {
  const auto body = page::object_of(request);
  if (!body) return bad_body("The body is not a JSON object.");
  auto record = hash_password(page::text(*body, "password"), parts_.random);
  if (!record.ok()) return page::error(400, "InvalidPassword", record.error().message());
  NewUser user{.name = page::text(*body, "name"), .account = page::text(*body, "account"), .password = std::move(*record), .policy = {}};
  if (user.account.empty()) user.account = parts_.default_account;
  Status done = fog::add_user(parts_.file, user);
  if (done.ok() && body->contains("policies")) {
    done = set_user_policies(parts_.file, user.name, (*body)["policies"].dump());
    if (!done.ok()) {
      if (const Status undone = remove_user(parts_.file, user.name); !undone.ok()) return changed(undone, {});
    }
  }
  return changed(done, page::json({{"name", user.name}, {"account", user.account}}));
}

http::Response KeyPages::change_user(const http::Request& request, const std::string& name) {
  const auto body = page::object_of(request);
  if (!body || (!body->contains("policies") && !body->contains("password"))) return bad_body("Give \"policies\" or \"password\".");
  if (body->contains("password")) {
    auto record = hash_password(page::text(*body, "password"), parts_.random);
    if (!record.ok()) return page::error(400, "InvalidPassword", record.error().message());
    if (const Status done = set_user_password(parts_.file, name, *record); !done.ok()) return changed(done, {});
  }
  if (body->contains("policies")) return changed(set_user_policies(parts_.file, name, (*body)["policies"].dump()), page::json(Json::object()));
  return changed(Ok{}, page::json(Json::object()));
}

}  // namespace fog

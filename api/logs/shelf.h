// Shelf: documents of one kind in the resource store, in the account and region of a call; and pages
// of lists.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/codec/json.h"
#include "api/common/call.h"
#include "api/logs/common.h"
#include "storage/resource_store.h"

namespace fog::logs {

template <typename T>
class Shelf {
 public:
  explicit constexpr Shelf(std::string_view kind) : kind_(kind) {}

  std::optional<T> get(Call& call, std::string_view name) const {
    const auto document = call.service<ResourceStore>().get(key(call, name));
    if (!document) return std::nullopt;
    auto read = decode_json<T>(*document);
    return read.ok() ? std::optional<T>(std::move(read).value()) : std::nullopt;
  }
  bool has(Call& call, std::string_view name) const { return call.service<ResourceStore>().get(key(call, name)).has_value(); }
  Status put(Call& call, std::string_view name, const T& value) const {
    return call.service<ResourceStore>().put(key(call, name), encode_json(value));
  }
  Status erase(Call& call, std::string_view name) const { return call.service<ResourceStore>().erase(key(call, name)); }
  // By name, in order.
  std::vector<std::pair<std::string, T>> list(Call& call, std::string_view prefix = {}) const {
    std::vector<std::pair<std::string, T>> all;
    for (const Resource& resource : call.service<ResourceStore>().list({.kind = std::string(kind_),
                                                                        .account = call.account,
                                                                        .region = call.region,
                                                                        .name_prefix = std::string(prefix)})) {
      auto read = decode_json<T>(resource.document);
      if (read.ok()) all.emplace_back(resource.key.name, std::move(read).value());
    }
    return all;
  }
  std::size_t count(Call& call) const { return list(call).size(); }
  ResourceKey key(const Call& call, std::string_view name) const {
    return {std::string(kind_), call.account, call.region, std::string(name)};
  }
  std::string_view kind() const { return kind_; }

 private:
  std::string_view kind_;
};

// Cuts `all` (in order of `key_of`) to the page that a token and a limit ask for; the token of the
// next page, if there is one. Error: bad token.
template <typename T, typename KeyOf>
Result<std::optional<std::string>> cut_page(std::string_view operation, std::string_view parameters, std::vector<T>& all,
                                            const std::optional<std::string>& token, std::size_t limit, KeyOf&& key_of) {
  if (token) {
    const auto last = read_page_token(operation, parameters, *token);
    if (!last) return bad_token();
    std::erase_if(all, [&](const T& item) { return std::string_view(key_of(item)) <= std::string_view(*last); });
  }
  if (all.size() <= limit) return std::optional<std::string>();
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(limit), all.end());
  return std::optional(page_token(operation, parameters, key_of(all.back())));
}

}  // namespace fog::logs

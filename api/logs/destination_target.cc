#include "api/logs/destination_target.h"

#include "api/codec/json.h"
#include "api/logs/shapes.h"

namespace fog::logs {

std::optional<std::string> destination_target(const ResourceStore& resources, std::string_view arn) {
  std::string_view parts[6];  // arn, partition, service, region, account, resource
  for (int i = 0; i < 5; ++i) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    parts[i] = arn.substr(0, colon);
    arn.remove_prefix(colon + 1);
  }
  constexpr std::string_view kResource = "destination:";
  if (!arn.starts_with(kResource)) return std::nullopt;
  const auto document = resources.get({std::string(kDestinationKind), std::string(parts[4]), std::string(parts[3]),
                                       std::string(arn.substr(kResource.size()))});
  if (!document) return std::nullopt;
  auto destination = decode_json<Destination>(*document);
  if (!destination.ok() || !destination->target_arn) return std::nullopt;
  return std::move(*destination->target_arn);
}

}  // namespace fog::logs

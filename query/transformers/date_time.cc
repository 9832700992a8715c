// dateTimeConverter: a date from one notation and zone to another.
#include <fmt/format.h>

#include "query/transformers/date_format.h"
#include "query/transformers/processor.h"

namespace fog::transformers {
namespace {

constexpr std::size_t kPatternsMax = 5;
constexpr std::string_view kFormatDefault = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'";

class DateTime final : public Processor {
 public:
  bool apply(JsonTree& root, const Event&) const override {
    const JsonTree* found = at_path(root, source);
    if (found == nullptr || !found->is_scalar()) return true;
    const std::string text = found->as_text();
    // Years that the text leaves out are those of the wall clock: the event itself has no other.
    const std::int64_t now = to_ms(std::chrono::floor<Millis>(std::chrono::system_clock::now()));
    for (const DateFormat& pattern : patterns) {
      const auto ms = pattern.read(text, now, source_zone);
      if (!ms) continue;
      put_at_path(root, target, JsonTree::string(format->write(*ms, target_zone)), true);
      return true;
    }
    return false;
  }

  Path source;
  Path target;
  std::vector<DateFormat> patterns;
  std::optional<DateFormat> format;
  alarm_rules::TimeZone source_zone, target_zone;
};

}  // namespace

Result<ProcessorPtr> make_date_time(const Parameters& parameters) {
  auto made = std::make_unique<DateTime>();
  TRY(made->source, parameters.path("source"));
  TRY(made->target, parameters.path("target"));
  TRY(const JsonTree* list, parameters.required_list("matchPatterns"));
  if (list->items.size() > kPatternsMax) return parameters.error(fmt::format("at most {} matchPatterns are allowed.", kPatternsMax));
  for (const JsonTree& item : list->items) {
    auto pattern = DateFormat::parse(item.text);
    if (!pattern.ok()) return parameters.error(fmt::format("match pattern {} is not valid: {}.", item.text, pattern.error().message()));
    made->patterns.push_back(std::move(pattern).value());
  }
  const std::string text = parameters.text("targetFormat", kFormatDefault);
  auto format = DateFormat::parse(text);
  if (!format.ok()) return parameters.error(fmt::format("targetFormat {} is not valid: {}.", text, format.error().message()));
  made->format = std::move(format).value();
  for (const auto& [name, zone] : {std::pair("sourceTimezone", &made->source_zone), std::pair("targetTimezone", &made->target_zone)}) {
    auto found = alarm_rules::TimeZone::find(parameters.text(name, "UTC"));
    if (!found.ok()) return parameters.error(fmt::format("{} {} is not valid.", name, parameters.text(name)));
    *zone = std::move(found).value();
  }
  return ProcessorPtr(std::move(made));
}

}  // namespace fog::transformers

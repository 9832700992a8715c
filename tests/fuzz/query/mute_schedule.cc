// Schedules of mute rules: expression, duration, time zone.
#include "query/alarm_rules/mute_schedule.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace alarm_rules;

FOG_FUZZ(mute_schedule) {
  Cut cut(input);
  const std::string_view expression = cut.next(), duration = cut.next(), zone = cut.next();
  (void)parse_iso_duration(duration);
  if (const auto found = TimeZone::find(zone); found.ok())
    for (const std::int64_t ms : {0LL, 1'767'225'600'000LL, -62'135'596'800'000LL, 253'402'300'799'000LL}) {
      (void)found->to_local(from_ms(ms));
      (void)found->from_local(from_ms(ms));
    }
  const auto schedule = MuteSchedule::parse(expression, duration, zone);
  if (!schedule.ok()) return;
  const Timestamp now = from_ms(1'767'225'600'000);
  (void)schedule->active_at(now);
  if (const auto next = schedule->next_start(now)) must(*next > now, "the next window lies ahead");
}

FOG_FUZZ_SEEDS(mute_schedule) {
  return {"cron(0 2 * * 1-5)\x1fPT1H\x1f" "Europe/Berlin", "at(2026-01-02T03:04)\x1fP1DT2H30M\x1fUTC", "cron(*/5 0,12 1-7 JAN-MAR SUN)\x1fPT1M\x1f+05:30", "cron(30 2 29 2 *)\x1fP15D\x1f" "America/New_York"};
}

}  // namespace fog::fuzz

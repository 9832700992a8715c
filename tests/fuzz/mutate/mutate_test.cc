// Requests made from the models: every rule broken once gives its 4xx; nothing gives a 5xx or ends the server.
//
// FOGWATCH_MUTATIONS=1000000 sends that many mutated requests (20,000 without), FOGWATCH_MUTATE_SEED another
// seed; FOGWATCH_MUTATE_NOTES names a folder for the last request of each connection.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <re2/re2.h>

#include <chrono>
#include <cstdlib>
#include <set>

#include "tests/fuzz/mutate/run.h"

namespace fog::fuzz {
namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void patterns_of(const Shape& shape, std::set<std::string>& out, std::set<const Shape*>& seen) {
  if (!seen.insert(&shape).second) return;
  if (!shape.pattern.empty()) out.insert(std::string(shape.pattern));
  if (shape.element != nullptr) patterns_of(*shape.element, out, seen);
  if (shape.key != nullptr) patterns_of(*shape.key, out, seen);
  for (std::size_t i = 0; i < shape.member_count; ++i) patterns_of(*shape.members[i].shape, out, seen);
}

// A pattern that does not compile would be a rule that nobody checks.
TEST(Mutate, every_pattern_of_the_models_is_understood) {
  std::set<std::string> patterns;
  std::set<const Shape*> seen;
  for (const OperationInfo* operation : all_operations()) patterns_of(*operation->input, patterns, seen);
  EXPECT_GT(patterns.size(), 30u);
  for (const std::string& pattern : patterns) {
    const RE2 compiled(pattern, RE2::Quiet);
    EXPECT_TRUE(compiled.ok()) << pattern << ": " << compiled.error();
    Dice dice(1);
    if (!compiled.ok()) continue;
    EXPECT_TRUE(RE2::FullMatch(sample_pattern(pattern, 20, dice), compiled)) << pattern;
  }
}

bool is_type_error(const std::string& code) { return code == "SerializationException" || code == "MalformedInput"; }

// What each service says of an input that breaks its model.
bool is_expected(const ServiceInfo& service, Breach breach, const std::string& code) {
  if (breach == Breach::kType) return is_type_error(code);
  static const std::map<std::string_view, std::set<std::string_view>> kCodes = {
      {"cloudwatch", {"ValidationError", "ValidationException", "MissingParameter", "MissingRequiredParameterException", "InvalidParameterValue", "InvalidParameterValueException"}},
      {"logs", {"InvalidParameterException", "ValidationException"}},
      {"xray", {"InvalidRequestException"}},
      {"sns", {"ValidationError", "ValidationException", "InvalidParameter", "InvalidParameterException"}},
      {"sqs", {"MissingParameter", "ValidationError", "ValidationException"}},
  };
  return kCodes.at(service.name).contains(code);
}

bool applies(const BreachCase& one, Speech speech) {
  if (speech != Speech::kQuery) return true;
  if (one.breach == Breach::kNull || one.breach == Breach::kOptionalNull) return false;  // a form has no null
  if (one.breach != Breach::kType) return true;
  // Everything in a form is text: only a scalar can be of a wrong form.
  const Tree* at = &one.input;
  std::string_view where = one.where;
  while (!where.empty()) {
    const std::string_view step = where.substr(0, where.find('.'));
    where.remove_prefix(std::min(where.size(), step.size() + 1));
    if (at->kind == Tree::Kind::kList)
      at = &at->items.front();
    else if (step == "0" && const_cast<Tree*>(at)->find(step) == nullptr)
      at = &at->members.front().second;
    else
      at = const_cast<Tree*>(at)->find(step);
    if (at == nullptr) return false;
  }
  return at->kind == Tree::Kind::kText && at->text != "x";
}

TEST(Mutate, every_broken_rule_of_every_operation_gives_its_4xx) {
  MutationRun run;
  Connection connection(run.port());
  Generator generator(setting("FOGWATCH_MUTATE_SEED", 1));
  generator.now_ms = std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch()).count();
  run.furnish(connection, generator);
  std::map<std::string_view, std::array<std::size_t, kBreaches>> table;
  std::size_t requests = 0, served = 0, unserved = 0;
  for (const OperationInfo* operation : all_operations()) {
    const auto speeches = speeches_of(*operation->service);
    const Answer plain = connection.ask(bytes_of(parts_of(*operation, speeches.front(), generator.input(*operation, 0))));
    if (plain.code() == "UnknownOperationException" || plain.code() == "InvalidAction") {
      EXPECT_EQ(plain.status / 100, 4) << operation->name;
      ++unserved;
      continue;
    }
    ++served;
    EXPECT_FALSE(is_type_error(plain.code())) << operation->name << ": a sound input was refused: " << plain.body;
    for (const BreachCase& one : generator.breaches(*operation)) {
      for (const Speech speech : speeches) {
        if (!applies(one, speech)) continue;
        const std::string bytes = bytes_of(parts_of(*operation, speech, one.input));
        const Answer answer = connection.ask(bytes);
        ++requests;
        ++table[operation->service->name][static_cast<std::size_t>(one.breach)];
        const std::string what = fmt::format("{} {} {}: {} at {}", operation->service->name, operation->name, name_of(speech), name_of(one.breach), one.where);
        const std::string said = fmt::format("{} {} {}", answer.status, answer.code(), answer.message());
        if (one.breach == Breach::kUnknownMember || one.breach == Breach::kOptionalNull) {
          EXPECT_LT(answer.status, 500) << what << "\n  " << said;
          EXPECT_NE(answer.status, 0) << what;
          EXPECT_FALSE(is_type_error(answer.code())) << what << "\n  " << said << "\n  " << bytes.substr(0, 1500);
          continue;
        }
        EXPECT_EQ(answer.status / 100, 4) << what << "\n  " << said << "\n  " << bytes.substr(0, 1500);
        EXPECT_TRUE(answer.status == 413 || is_expected(*operation->service, one.breach, answer.code())) << what << "\n  " << said << "\n  " << bytes.substr(0, 1500);
      }
    }
  }
  fmt::print("{} operations served, {} not; {} requests. By service and rule:\n", served, unserved, requests);
  for (const auto& [service, row] : table) {
    fmt::print("  {}:", service);
    for (std::size_t i = 0; i < kBreaches; ++i)
      if (row[i] > 0) fmt::print(" {} {};", row[i], name_of(static_cast<Breach>(i)));
    fmt::print("\n");
  }
  EXPECT_GT(served, 200u);
  EXPECT_GT(requests, 5000u);
}

TEST(Mutate, no_request_gives_a_5xx_or_ends_the_server) {
  const std::uint64_t count = setting("FOGWATCH_MUTATIONS", 20'000);
  constexpr int kThreads = 4;
  const auto begun = std::chrono::steady_clock::now();
  MutationRun run;
  run.mutate(count / kThreads, kThreads, setting("FOGWATCH_MUTATE_SEED", 1));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  fmt::print("{} mutated requests in {:.0f} s\n{}", count, seconds, run.table());
  const auto findings = run.findings();
  std::map<std::string, std::size_t> kinds;
  for (const Finding& finding : findings)
    if (++kinds[finding.what] == 1) ADD_FAILURE() << finding.what << '\n' << finding.request.substr(0, 3000) << "\n-> " << finding.answer.substr(0, 600);
  for (const auto& [what, n] : kinds) fmt::print("{} times {}\n", n, what);
  EXPECT_EQ(findings.size(), 0u);
}

}  // namespace
}  // namespace fog::fuzz

// Policies of access keys, the files that hold them, and wildcards.
#include "api/auth/policy.h"

#include <sys/stat.h>

#include <fstream>

#include "api/auth/keys.h"
#include "tests/fuzz/target.h"
#include "tests/storage/temp_folder.h"

namespace fog::fuzz {

FOG_FUZZ(iam_policy) {
  Cut cut(input);
  const std::string_view text = cut.next(), pattern = cut.next(), subject = cut.next();
  (void)iam::matches_wildcard(pattern, subject);
  (void)iam::matches_wildcard(pattern, subject, true);
  if (const auto policy = iam::parse_policy(text); policy.ok()) {
    const iam::Policy policies[] = {*policy};
    (void)iam::evaluate(policies, {.action = "logs:PutLogEvents", .resources = {"arn:aws:logs:us-east-1:1:log-group:/wafer-monitor/a:log-stream:s", std::string(subject)},
                                   .context = {{"aws:sourceip", {"10.1.2.3"}}, {"cloudwatch:namespace", {"WaferMonitor"}}, {"aws:requestedregion", {std::string(subject)}}}});
  }
  static const testing::TempFolder folder;
  const auto file = folder.path() / "keys.json";
  {
    std::ofstream out(file, std::ios::binary);
    out << text;
  }
  ::chmod(file.c_str(), 0600);
  (void)Keys::read(file);
  (void)list_keys(file);
}

FOG_FUZZ_SEEDS(iam_policy) {
  const std::string policy = R"({"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":["cloudwatch:PutMetricData","logs:*"],"Resource":"*","Condition":{"StringEquals":{"cloudwatch:namespace":"WaferMonitor"},)"
                             R"("ForAnyValue:StringLike":{"aws:RequestedRegion":["us-*"]},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"NumericLessThanEqualsIfExists":{"x":"5"},"Bool":{"aws:SecureTransport":"true"},"Null":{"y":"true"}}},)"
                             R"({"Effect":"Deny","NotAction":"xray:*","NotResource":["arn:aws:logs:*:*:log-group:/wafer-monitor/*"]}]})";
  return {policy + "\x1f" "arn:*:log?\x1f" "arn:aws:logs", R"({"keys":[{"name":"etcher","access_key":"AKIAABCDEFGHIJKLMNOP","secret_key":"s","account":"123456789012","policies":[)" + policy + "]}]}"};
}

}  // namespace fog::fuzz

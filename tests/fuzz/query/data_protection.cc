// Data protection policies: the policy, then a text to mask.
#include "query/data_protection/policy.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(data_protection) {
  Cut cut(input);
  const std::string_view document = cut.next(), text = cut.rest();
  const auto policy = data_protection::parse(document);
  if (!policy.ok()) return;
  for (const auto& finding : (*policy)->find(text)) must(finding.begin <= finding.end && finding.end <= text.size(), "findings lie in the text");
  std::string masked(text);
  (void)(*policy)->mask(masked);
}

FOG_FUZZ_SEEDS(data_protection) {
  std::vector<std::string> out;
  for (const char* name : {"EmailAddress", "CreditCardNumber", "IpAddress", "AwsSecretKey", "Address", "PhoneNumber-US", "Ssn-US", "IBAN-DE"}) {
    const std::string arn = std::string("\"arn:aws:dataprotection::aws:data-identifier/") + name + '"';
    out.push_back(R"({"Name":"p","Version":"2021-06-01","Configuration":{"CustomDataIdentifier":[{"Name":"Own","Regex":"EID-\\d{4}"}]},"Statement":[{"Sid":"a","DataIdentifier":[)" + arn +
                  R"(,"Own"],"Operation":{"Audit":{"FindingsDestination":{"CloudWatchLogs":{"LogGroup":"x"}}}}},{"Sid":"b","DataIdentifier":[)" + arn +
                  R"(,"Own"],"Operation":{"Deidentify":{"MaskConfig":{}}}}]})" "\x1fmail a.b@example.com card 4111 1111 1111 1111 ip 10.0.0.1 EID-1234 +1 555 123 4567 123-45-6789 DE89370400440532013000");
  }
  return out;
}

}  // namespace fog::fuzz

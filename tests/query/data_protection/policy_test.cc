// Which parts of a text a data protection policy hides, and which documents are no policy.
#include "query/data_protection/policy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace fog::data_protection {
namespace {

std::string document(std::string_view identifiers, std::string_view configuration = "") {
  return fmt::format(
      R"({{"Name":"p","Version":"2021-06-01","Statement":[{{"DataIdentifier":[{0}],"Operation":{{"Audit":{{"FindingsDestination":{{}}}}}}}},)"
      R"({{"DataIdentifier":[{0}],"Operation":{{"Deidentify":{{"MaskConfig":{{}}}}}}}}]{1}}})",
      identifiers, configuration);
}

std::string managed(std::string_view name) { return fmt::format(R"("arn:aws:dataprotection::aws:data-identifier/{}")", name); }

struct Row {
  const char* identifier;
  const char* text;
  const char* masked;
};

constexpr Row kRows[] = {
    {"EmailAddress", "from jane.doe+x@mail.example.co.uk to bob@x.org.", "from ***************************** to *********."},
    {"EmailAddress", "user@localhost @handle a@b", "user@localhost @handle a@b"},
    {"IpAddress", "10.0.0.1 and 256.1.1.1, v1.2.3", "******** and 256.1.1.1, v1.2.3"},
    {"IpAddress", "at 12:34:56 from 2001:db8::8a2e:370:7334", "at 12:34:56 from ***********************"},
    {"CreditCardNumber", "card 4111 1111 1111 1111 ok", "card ******************* ok"},
    {"CreditCardNumber", "card 4111-1111-1111-1112 wrong digit", "card 4111-1111-1111-1112 wrong digit"},
    {"CreditCardNumber", "amex 378282246310005", "amex ***************"},
    {"CreditCardSecurityCode", "cvv: 123 code 456", "cvv: *** code 456"},
    {"CreditCardExpiration", "expiration date: 09/2027", "expiration date: *******"},
    {"AwsSecretKey", "key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"", "key=****************************************\""},
    {"AwsSecretKey", "secret \"wJa1rXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"", "secret \"****************************************\""},
    {"AwsSecretKey", "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709", "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {"OpenSshPrivateKey", "x -----BEGIN OPENSSH PRIVATE KEY-----\nab\n-----END OPENSSH PRIVATE KEY----- y",
     "x ************************************************************************ y"},
    {"Ssn-US", "ssn 123-45-6789, 000-12-3456, 666-12-3456, 912-12-3456", "ssn ***********, 000-12-3456, 666-12-3456, 912-12-3456"},
    {"PhoneNumber-US", "call (206) 555-0100 or +1 425-555-0199, 123-456-7890", "call ************** or ***************, 123-456-7890"},
    {"LatLong", "at 47.606209, -122.332069 not 97.606209, 1.332069", "at ********************** not 97.606209, 1.332069"},
    {"VehicleIdentificationNumber", "1HGCM82633A004352 1HGCM82633A004353", "***************** 1HGCM82633A004353"},
    {"BankAccountNumber-DE", "DE89 3704 0044 0532 0130 00 DE89 3704 0044 0532 0130 01", "*************************** DE89 3704 0044 0532 0130 01"},
    {"Address", "12 Main Street", "12 Main Street"},  // known, not detected
};

TEST(DataProtection, MasksWhatItProtects) {
  for (const Row& row : kRows) {
    const auto policy = parse(document(managed(row.identifier)));
    ASSERT_TRUE(policy.ok()) << policy.error().message();
    std::string text = row.text;
    EXPECT_EQ((*policy)->mask(text), std::string(row.text) != row.masked) << row.text;
    EXPECT_EQ(text, row.masked) << row.identifier;
  }
}

TEST(DataProtection, OwnExpressionsAndCharactersBeyondAscii) {
  const auto policy = parse(document(R"("EmployeeId")", R"(,"Configuration":{"CustomDataIdentifier":[{"Name":"EmployeeId","Regex":"EM(P|Ü)-\\d{4}"}]})"));
  ASSERT_TRUE(policy.ok()) << policy.error().message();
  std::string text = "EMP-1234 EMÜ-5678 EMP-12";
  EXPECT_TRUE((*policy)->mask(text));
  EXPECT_EQ(text, "******** ******** EMP-12");
  const auto findings = (*policy)->find("x EMP-1234");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].identifier, "EmployeeId");
  EXPECT_EQ(findings[0].begin, 2u);
  EXPECT_EQ(findings[0].end, 10u);
}

TEST(DataProtection, OverlapsAreMaskedOnce) {
  const auto policy = parse(document(managed("EmailAddress") + "," + managed("IpAddress")));
  ASSERT_TRUE(policy.ok());
  std::string text = "a@10.0.0.1.example.com";
  EXPECT_TRUE((*policy)->mask(text));
  EXPECT_EQ(text.size(), 22u);
  EXPECT_EQ(text.find("10.0"), std::string::npos);
}

struct BadRow {
  std::string document;
  const char* why;
};

TEST(DataProtection, RefusesOtherDocuments) {
  const std::string email = managed("EmailAddress");
  const auto swap = [](std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  };
  const BadRow rows[] = {
      {"[]", "the policy document is not a JSON object"},
      {R"({"Name":"p"})", "Version must be a string"},
      {swap(document(email), "2021-06-01", "2020-01-01"), "Version must be 2021-06-01"},
      {swap(document(email), "\"Statement\":[", "\"Statement\":[{},"), "Statement must have two entries"},
      {swap(document(email), R"({"MaskConfig":{}})", R"({"MaskConfig":{"a":1}})"), "must have an empty MaskConfig object"},
      {swap(document(email), R"("Deidentify":{"MaskConfig":{}})", R"("Audit":{"FindingsDestination":{}})"), "exactly one Audit operation"},
      {swap(document(email), email, managed("IpAddress")), "must be equal"},
      {document(managed("NoSuchThing")), "NoSuchThing is not supported"},
      {document(R"("EmailAddress")"), "data identifier EmailAddress is not supported"},
      {document(""), "non-empty DataIdentifier list"},
      {document(R"("X")", R"(,"Configuration":{"CustomDataIdentifier":[{"Name":"X","Regex":"("}]})"), "is not valid"},
  };
  for (const BadRow& row : rows) {
    const auto policy = parse(row.document);
    ASSERT_FALSE(policy.ok()) << row.document;
    EXPECT_NE(policy.error().message().find(row.why), std::string::npos) << policy.error().message();
  }
}

}  // namespace
}  // namespace fog::data_protection

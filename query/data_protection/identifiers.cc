#include "query/data_protection/identifiers.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "query/data_protection/policy.h"

namespace fog::data_protection {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

std::string digits_of(std::string_view text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out), digit);
  return out;
}

bool luhn(std::string_view found) {
  const std::string digits = digits_of(found);
  if (digits.size() < 13 || digits.size() > 19 || digits.find_first_not_of(digits[0]) == std::string::npos) return false;
  int sum = 0;
  for (std::size_t k = 0; k < digits.size(); ++k) {
    int value = digits[digits.size() - 1 - k] - '0';
    if (k % 2 == 1) value = value * 2 > 9 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 == 0;
}

bool ssn(std::string_view found) {
  const std::string digits = digits_of(found);
  return digits.substr(0, 3) != "000" && digits.substr(0, 3) != "666" && digits[0] != '9' && digits.substr(3, 2) != "00" &&
         digits.substr(5) != "0000";
}

// Forty characters of base64 are also hashes; a secret key mixes its cases.
bool secret_key(std::string_view found) {
  const auto any = [&](char from, char to) {
    return std::any_of(found.begin(), found.end(), [&](char c) { return c >= from && c <= to; });
  };
  return any('a', 'z') && any('A', 'Z') && any('0', '9');
}

bool vehicle(std::string_view found) {
  static constexpr std::string_view kLetters = "ABCDEFGHJKLMNPRSTUVWXYZ";
  static constexpr int kValues[] = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9};
  static constexpr int kWeights[] = {8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2};
  int sum = 0;
  for (std::size_t k = 0; k < 17; ++k) {
    const int value = digit(found[k]) ? found[k] - '0' : kValues[kLetters.find(found[k])];
    sum += value * kWeights[k];
  }
  return found[8] == (sum % 11 == 10 ? 'X' : static_cast<char>('0' + sum % 11));
}

bool iban(std::string_view found) {
  std::string compact;
  std::copy_if(found.begin(), found.end(), std::back_inserter(compact), [](char c) { return c != ' '; });
  int rest = 0;
  for (const char c : compact.substr(4) + compact.substr(0, 4)) {
    if (digit(c)) rest = (rest * 10 + (c - '0')) % 97;
    else rest = (rest * 100 + (c - 'A' + 10)) % 97;
  }
  return rest == 1;
}

bool lat_long(std::string_view found) {
  const std::size_t comma = found.find(',');
  const double latitude = std::strtod(std::string(found.substr(0, comma)).c_str(), nullptr);
  const double longitude = std::strtod(std::string(found.substr(comma + 1)).c_str(), nullptr);
  return std::abs(latitude) <= 90 && std::abs(longitude) <= 180;
}

bool colons_are_address(std::string_view found) {
  if (found.find(':') == std::string_view::npos) return true;
  // hh:mm:ss is no address.
  return found.find("::") != std::string_view::npos || std::count(found.begin(), found.end(), ':') == 7;
}

// Two check digits of a Brazilian taxpayer.
bool cpf(std::string_view found) {
  const std::string d = digits_of(found);
  if (d.size() != 11 || d.find_first_not_of(d[0]) == std::string::npos) return false;
  for (int length = 9; length < 11; ++length) {
    int sum = 0;
    for (int k = 0; k < length; ++k) sum += (d[static_cast<std::size_t>(k)] - '0') * (length + 1 - k);
    if (d[static_cast<std::size_t>(length)] - '0' != sum * 10 % 11 % 10) return false;
  }
  return true;
}

constexpr Identifier kIdentifiers[] = {
    {"EmailAddress", R"(\b[A-Za-z0-9][A-Za-z0-9._%+\-]*@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}\b)"},
    {"IpAddress",
     R"((?:\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}))",
     colons_are_address},
    {"CreditCardNumber", R"(\b[2-6](?:[ -]?\d){12,18}\b)", luhn},
    {"CreditCardExpiration", R"((?i)\bexp(?:ir(?:y|es|ation))?(?:[ _]?date)?\W{1,4}((?:0[1-9]|1[0-2])[/-](?:\d{4}|\d{2}))\b)"},
    {"CreditCardSecurityCode", R"((?i)\b(?:cvv2?|cvc2?|cid|card verification|security code)\W{1,4}(\d{3,4})\b)"},
    {"AwsSecretKey", R"((?:^|[^A-Za-z0-9/+])([A-Za-z0-9/+]{40})(?:$|[^A-Za-z0-9/+=]))", secret_key},
    {"OpenSshPrivateKey", R"(-----BEGIN OPENSSH PRIVATE KEY-----(?s:.*?)(?:-----END OPENSSH PRIVATE KEY-----|\z))"},
    {"PgpPrivateKey", R"(-----BEGIN PGP PRIVATE KEY BLOCK-----(?s:.*?)(?:-----END PGP PRIVATE KEY BLOCK-----|\z))"},
    {"PkcsPrivateKey",
     R"(-----BEGIN (?:RSA |DSA |EC |ENCRYPTED )?PRIVATE KEY-----(?s:.*?)(?:-----END (?:RSA |DSA |EC |ENCRYPTED )?PRIVATE KEY-----|\z))"},
    {"PuttyPrivateKey", R"(PuTTY-User-Key-File-\d+:(?s:.*?)(?:Private-MAC: *[0-9a-f]+|\z))"},
    {"Ssn-US", R"(\b(\d{3}(?:-\d{2}-| \d{2} )\d{4})\b)", ssn},
    {"IndividualTaxIdentificationNumber-US", R"(\b9\d{2}-(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])-\d{4}\b)"},
    {"PhoneNumber-US", R"((?:^|[^\w.])((?:\+?1[-. ]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-. ])[2-9]\d{2}[-. ]\d{4})\b)"},
    {"LatLong", R"((?:^|[^\w.])(-?\d{1,2}\.\d{4,} ?, ?-?\d{1,3}\.\d{4,})\b)", lat_long},
    {"VehicleIdentificationNumber", R"(\b[A-HJ-NPR-Z0-9]{17}\b)", vehicle},
    {"BankAccountNumber-DE", R"(\bDE\d{2}(?: ?\d{4}){4} ?\d{2}\b)", iban},
    {"BankAccountNumber-ES", R"(\bES\d{2}(?: ?\d{4}){5}\b)", iban},
    {"BankAccountNumber-FR", R"(\bFR\d{2}(?: ?[A-Z0-9]{4}){5} ?[A-Z0-9]{3}\b)", iban},
    {"BankAccountNumber-GB", R"(\bGB\d{2} ?[A-Z]{4}(?: ?\d{4}){3} ?\d{2}\b)", iban},
    {"BankAccountNumber-IT", R"(\bIT\d{2} ?[A-Z]\d{3}(?: ?\d{4})(?: ?\d{2}[A-Z0-9]{2})(?: ?[A-Z0-9]{4}){2} ?[A-Z0-9]{3}\b)", iban},
    {"CpfCode-BR", R"(\b\d{3}\.\d{3}\.\d{3}-\d{2}\b)", cpf},
    {"NhsNumber-GB", R"((?i)\bNHS(?: number)?\W{1,4}(\d{3} ?\d{3} ?\d{4})\b)"},
};

// "Name" or "Name-XX": what CloudWatch Logs names besides.
constexpr std::string_view kUndetected[] = {
    "Address", "Name", "PutCredentials", "HttpBasicAuthHeader", "HttpCookie", "BankAccountNumber-US", "CepCode-BR", "Cnpj-BR",
    "DrugEnforcementAgencyNumber-US", "ElectoralRollNumber-GB", "HealthInsuranceCardNumber-EU", "HealthInsuranceClaimNumber-US",
    "HealthInsuranceNumber-FR", "HealthcareProcedureCode-US", "InseeCode-FR", "MedicareBeneficiaryNumber-US",
    "NationalDrugCode-US", "NationalIdentificationNumber-DE", "NationalIdentificationNumber-ES", "NationalIdentificationNumber-IT",
    "NationalInsuranceNumber-GB", "NationalProviderId-US", "NieNumber-ES", "NifNumber-ES", "PersonalHealthNumber-CA",
    "PostalCode-CA", "RgNumber-BR", "SocialInsuranceNumber-CA", "Ssn-ES", "ZipCode-US", "TaxId-DE", "TaxId-ES", "TaxId-FR",
    "TaxId-GB", "PermanentAccountNumber-IN", "AadhaarNumber-IN", "VoterIdNumber-IN", "UniqueTaxpayerReference-GB",
};
constexpr std::string_view kByCountry[] = {"DriversLicense-", "PassportNumber-", "PhoneNumber-"};
constexpr std::string_view kCountries =
    " AT AU BE BG BR CA CY CZ DE DK EE ES FI FR GB GR HR HU IE IN IT JP KR LT LU LV MT NL PL PT RO SE SI SK US ";

}  // namespace

const Identifier* find_identifier(std::string_view name) {
  for (const Identifier& identifier : kIdentifiers)
    if (identifier.name == name) return &identifier;
  return nullptr;
}

bool is_detected_identifier(std::string_view name) { return find_identifier(name) != nullptr; }

bool is_known_identifier(std::string_view name) {
  if (is_detected_identifier(name) || std::find(std::begin(kUndetected), std::end(kUndetected), name) != std::end(kUndetected)) return true;
  for (const std::string_view family : kByCountry)
    if (name.starts_with(family) && name.size() == family.size() + 2)
      return kCountries.find(" " + std::string(name.substr(family.size())) + " ") != std::string_view::npos;
  return false;
}

}  // namespace fog::data_protection

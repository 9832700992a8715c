#include "api/sns/common.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace fog::sns {

Error invalid(std::string_view what) {
  return fault(InvalidParameterException{.message = fmt::format("Invalid parameter: {}", what)});
}

Error not_found(std::string_view what) {
  return fault(NotFoundException{.message = fmt::format("{} does not exist", what)});
}

std::optional<Arn> parse_arn(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (auto& part : parts) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (parts[0] != "arn") return std::nullopt;
  return Arn{parts[1], parts[2], parts[3], parts[4], text};
}

Result<Arn> check_arn(const Call& call, std::string_view text, std::string_view parameter) {
  const auto elements = std::count(text.begin(), text.end(), ':') + 1;
  if (elements < 6)
    return invalid(fmt::format("{} Reason: An ARN must have at least 6 elements, not {}", parameter, elements));
  const auto arn = parse_arn(text);
  if (!arn || arn->service != "sns" || arn->region != call.region) return invalid(parameter);
  return *arn;
}

std::string topic_arn(const Call& call, std::string_view name) {
  return fmt::format("arn:{}:sns:{}:{}:{}", partition_of(call.region), call.region, call.account, name);
}

std::string iso_time(Timestamp t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day ymd(day);
  const std::chrono::hh_mm_ss time(t - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3), '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()),
                                static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[32];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

std::string page_token(std::string_view operation, std::string_view last_key) {
  std::string token = base64(fmt::format("1\n{}\n{}", operation, last_key));
  for (char& c : token) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  while (token.ends_with('=')) token.pop_back();
  return token;
}

Result<std::string> page_start(std::string_view operation, const std::optional<std::string>& token) {
  if (!token || token->empty()) return std::string();
  std::string padded = *token;
  for (char& c : padded) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  std::size_t padding = 0;
  while (padded.size() % 4 != 0) {
    padded.push_back('=');
    ++padding;
  }
  std::string text(padded.size(), '\0');
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                reinterpret_cast<const unsigned char*>(padded.data()),
                                static_cast<int>(padded.size()));
  if (n < 0 || padding > 2) return invalid("NextToken");
  text.resize(static_cast<std::size_t>(n) - padding);
  const std::string head = fmt::format("1\n{}\n", operation);
  if (!text.starts_with(head)) return invalid("NextToken");
  return text.substr(head.size());
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace fog::sns

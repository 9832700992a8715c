// Text messages: account attributes, opt-outs, the sandbox. Messages themselves go to the outbox.
#include <fmt/format.h>

#include <charconv>

#include "api/codec/json.h"
#include "api/sns/common.h"
#include "api/sns/documents.h"
#include "api/sns/mobile.h"
#include "api/sns/operations.h"
#include "api/sns/sns.h"

namespace fog::sns {
namespace {

constexpr std::string_view kAccountKind = "sns-sms-account";
constexpr std::string_view kNumberKind = "sns-sandbox-number";

StoredSmsAccount read_account(const ResourceStore& store, std::string_view account, std::string_view region) {
  const auto bytes = store.get({std::string(kAccountKind), std::string(account), std::string(region), "account"});
  if (!bytes) return {};
  auto document = decode_json<StoredSmsAccount>(*bytes);
  return document.ok() ? std::move(document).value() : StoredSmsAccount{};
}

Status write_account(Call& call, const StoredSmsAccount& document) {
  return call.service<Sns>().state().store().put({std::string(kAccountKind), call.account, call.region, "account"},
                                                 encode_json(document));
}

bool is_phone(std::string_view number) {
  if (number.starts_with('+')) number.remove_prefix(1);
  return number.size() >= 2 && number.size() <= 15 &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Error badly_formatted() { return invalid("PhoneNumber Reason: input incorrectly formatted"); }

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status check_sms_attribute(const std::string& name, const std::string& value) {
  const auto wrong = [](std::string text) { return fault(InvalidParameterException{.message = std::move(text)}); };
  if (name == "DeliveryStatusIAMRole" || name == "UsageReportS3Bucket") return Ok{};
  if (name == "MonthlySpendLimit") {
    const auto number = whole_number(value);
    if (!number || *number < 0) return wrong("MonthlySpendLimit is invalid");
    return Ok{};
  }
  if (name == "DeliveryStatusSuccessSamplingRate") {
    const auto number = whole_number(value);
    if (!number || *number < 0 || *number > 100) return wrong("DeliveryStatusSuccessSamplingRate is invalid");
    return Ok{};
  }
  if (name == "DefaultSenderID") {
    bool letter = false, plain = !value.empty() && value.size() <= 11;
    for (const char c : value) {
      const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      letter = letter || is_letter;
      plain = plain && (is_letter || (c >= '0' && c <= '9'));
    }
    if (!value.empty() && (!plain || !letter)) return wrong("DefaultSendID is invalid");
    return Ok{};
  }
  if (name == "DefaultSMSType") {
    if (value != "Promotional" && value != "Transactional") return wrong("DefaultSMSType is invalid");
    return Ok{};
  }
  return wrong(fmt::format("{} is not a valid attribute", name));
}

Result<SetSMSAttributesResponse> set_sms_attributes(Call& call, const SetSMSAttributesInput& in) {
  for (const auto& [name, value] : in.attributes) TRYV(check_sms_attribute(name, value));
  const std::lock_guard changes(call.service<Sns>().state().changes());
  StoredSmsAccount document = read_account(call.service<Sns>().state().store(), call.account, call.region);
  for (const auto& [name, value] : in.attributes) document.attributes[name] = value;
  TRYV(write_account(call, document));
  return SetSMSAttributesResponse{};
}

Result<GetSMSAttributesResponse> get_sms_attributes(Call& call, const GetSMSAttributesInput& in) {
  auto all = read_account(call.service<Sns>().state().store(), call.account, call.region).attributes;
  all.try_emplace("MonthlySpendLimit", "1");
  if (in.attributes && !in.attributes->empty()) {
    std::map<std::string, std::string> chosen;
    for (const auto& name : *in.attributes) {
      if (const auto found = all.find(name); found != all.end()) chosen.insert(*found);
    }
    all = std::move(chosen);
  }
  return GetSMSAttributesResponse{.attributes = std::move(all)};
}

Result<CheckIfPhoneNumberIsOptedOutResponse> check_if_phone_number_is_opted_out(
    Call& call, const CheckIfPhoneNumberIsOptedOutInput& in) {
  if (!is_phone(in.phone_number)) return badly_formatted();
  return CheckIfPhoneNumberIsOptedOutResponse{
      .is_opted_out = is_opted_out(call.service<Sns>().state().store(), call.account, call.region, in.phone_number)};
}

Result<ListPhoneNumbersOptedOutResponse> list_phone_numbers_opted_out(Call& call, const ListPhoneNumbersOptedOutInput& in) {
  TRY(const std::string after, page_start("ListPhoneNumbersOptedOut", in.next_token));
  auto numbers = read_account(call.service<Sns>().state().store(), call.account, call.region).opted_out;
  std::sort(numbers.begin(), numbers.end());
  ListPhoneNumbersOptedOutResponse out;
  out.phone_numbers.emplace();
  for (const auto& number : numbers) {
    if (number <= after) continue;
    if (out.phone_numbers->size() == kPageItems) {
      out.next_token = page_token("ListPhoneNumbersOptedOut", out.phone_numbers->back());
      break;
    }
    out.phone_numbers->push_back(number);
  }
  return out;
}

Result<OptInPhoneNumberResponse> opt_in_phone_number(Call& call, const OptInPhoneNumberInput& in) {
  if (!is_phone(in.phone_number)) return badly_formatted();
  const std::lock_guard changes(call.service<Sns>().state().changes());
  StoredSmsAccount document = read_account(call.service<Sns>().state().store(), call.account, call.region);
  if (std::erase(document.opted_out, in.phone_number) > 0) TRYV(write_account(call, document));
  return OptInPhoneNumberResponse{};
}

Result<GetSMSSandboxAccountStatusResult> get_sms_sandbox_account_status(Call& call, const GetSMSSandboxAccountStatusInput&) {
  return GetSMSSandboxAccountStatusResult{.is_in_sandbox = call.service<Sns>().options().sms_sandbox};
}

Result<CreateSMSSandboxPhoneNumberResult> create_sms_sandbox_phone_number(Call& call, const CreateSMSSandboxPhoneNumberInput& in) {
  if (!is_phone(in.phone_number)) return badly_formatted();
  Sns& sns = call.service<Sns>();
  const std::lock_guard changes(sns.state().changes());
  if (is_opted_out(sns.state().store(), call.account, call.region, in.phone_number))
    return fault(OptedOutException{.message = "Phone number is opted out"});
  StoredSandboxNumber document;
  document.phone_number = in.phone_number;
  document.code = fmt::format("{:06}", sns.random().next() % 1'000'000);
  TRYV(sns.state().store().put({std::string(kNumberKind), call.account, call.region, in.phone_number}, encode_json(document)));
  OutboxMessage message;
  message.time = call.now;
  message.account = call.account;
  message.region = call.region;
  message.protocol = "sms";
  message.endpoint = in.phone_number;
  message.message = fmt::format("Your verification code is {}", document.code);
  message.raw = message.message;
  message.token = document.code;
  TRYV(sns.outbox().add(std::move(message)));
  return CreateSMSSandboxPhoneNumberResult{};
}

Result<StoredSandboxNumber> find_number(Call& call, const std::string& number) {
  const auto bytes = call.service<Sns>().state().store().get({std::string(kNumberKind), call.account, call.region, number});
  if (!bytes) return fault(ResourceNotFoundException{.message = "Phone number does not exist"});
  return decode_json<StoredSandboxNumber>(*bytes);
}

Result<VerifySMSSandboxPhoneNumberResult> verify_sms_sandbox_phone_number(Call& call, const VerifySMSSandboxPhoneNumberInput& in) {
  const std::lock_guard changes(call.service<Sns>().state().changes());
  TRY(auto document, find_number(call, in.phone_number));
  if (document.code != in.one_time_password) {
    VerificationException error;
    error.message = "Verification code is not valid";
    error.status = "Pending";
    return fault(std::move(error));
  }
  document.verified = true;
  TRYV(call.service<Sns>().state().store().put({std::string(kNumberKind), call.account, call.region, in.phone_number}, encode_json(document)));
  return VerifySMSSandboxPhoneNumberResult{};
}

Result<DeleteSMSSandboxPhoneNumberResult> delete_sms_sandbox_phone_number(Call& call, const DeleteSMSSandboxPhoneNumberInput& in) {
  const std::lock_guard changes(call.service<Sns>().state().changes());
  TRYV(find_number(call, in.phone_number));
  TRYV(call.service<Sns>().state().store().erase({std::string(kNumberKind), call.account, call.region, in.phone_number}));
  return DeleteSMSSandboxPhoneNumberResult{};
}

Result<ListSMSSandboxPhoneNumbersResult> list_sms_sandbox_phone_numbers(Call& call, const ListSMSSandboxPhoneNumbersInput& in) {
  TRY(const std::string after, page_start("ListSMSSandboxPhoneNumbers", in.next_token));
  const auto size = static_cast<std::size_t>(in.max_results.value_or(100));
  ResourceStore::ListSpec spec{.kind = std::string(kNumberKind), .account = call.account, .region = call.region,
                               .name_prefix = {}, .after = {}, .limit = size + 1};
  if (!after.empty()) spec.after = after;
  ListSMSSandboxPhoneNumbersResult out;
  for (const auto& resource : call.service<Sns>().state().store().list(spec)) {
    if (out.phone_numbers.size() == size) {
      out.next_token = page_token("ListSMSSandboxPhoneNumbers", *out.phone_numbers.back().phone_number);
      break;
    }
    TRY(const auto document, decode_json<StoredSandboxNumber>(resource.document));
    out.phone_numbers.push_back({.phone_number = document.phone_number,
                                 .status = document.verified ? SMSSandboxPhoneNumberVerificationStatus::Verified
                                                             : SMSSandboxPhoneNumberVerificationStatus::Pending});
  }
  return out;
}

Result<ListOriginationNumbersResult> list_origination_numbers(Call&, const ListOriginationNumbersRequest&) {
  ListOriginationNumbersResult out;
  out.phone_numbers.emplace();
  return out;
}

constexpr Operation kOperations[] = {
    bind<set_sms_attributes>(),
    bind<get_sms_attributes>(),
    bind<check_if_phone_number_is_opted_out>(),
    bind<list_phone_numbers_opted_out>(),
    bind<opt_in_phone_number>(),
    bind<get_sms_sandbox_account_status>(),
    bind<create_sms_sandbox_phone_number>(),
    bind<verify_sms_sandbox_phone_number>(),
    bind<delete_sms_sandbox_phone_number>(),
    bind<list_sms_sandbox_phone_numbers>(),
    bind<list_origination_numbers>(),
};

}  // namespace

std::span<const Operation> sms_operations() { return kOperations; }

bool is_opted_out(const ResourceStore& store, std::string_view account, std::string_view region, std::string_view number) {
  const auto document = read_account(store, account, region);
  return std::find(document.opted_out.begin(), document.opted_out.end(), number) != document.opted_out.end();
}

bool is_verified(const ResourceStore& store, std::string_view account, std::string_view region, std::string_view number) {
  const auto bytes = store.get({std::string(kNumberKind), std::string(account), std::string(region), std::string(number)});
  if (!bytes) return false;
  const auto document = decode_json<StoredSandboxNumber>(*bytes);
  return document.ok() && document->verified;
}

std::map<std::string, std::string> sms_attributes(const ResourceStore& store, std::string_view account, std::string_view region) {
  return read_account(store, account, region).attributes;
}

Status opt_out(Sns& sns, std::string_view account, std::string_view region, const std::string& number) {
  if (!is_phone(number)) return badly_formatted();
  const std::lock_guard changes(sns.state().changes());
  StoredSmsAccount document = read_account(sns.state().store(), account, region);
  if (std::find(document.opted_out.begin(), document.opted_out.end(), number) != document.opted_out.end()) return Ok{};
  document.opted_out.push_back(number);
  return sns.state().store().put({std::string(kAccountKind), std::string(account), std::string(region), "account"}, encode_json(document));
}

}  // namespace fog::sns

// PutTransformer, GetTransformer, DeleteTransformer, TestTransformer.
#include "api/codec/json.h"
#include "api/logs/common.h"
#include "api/logs/masking.h"
#include "api/logs/operations.h"

namespace fog::logs {
namespace {

// A document holds the configuration as a request does.
std::string document_of(const std::vector<Processor>& processors) {
  TestTransformerRequest holder;
  holder.transformer_config = processors;
  return encode_json(holder);
}

Error invalid_operation(std::string message) { return fault(InvalidOperationException{.message = std::move(message)}); }

Result<Empty> put_transformer(Call& call, const PutTransformerRequest& in) {
  const std::string document = document_of(in.transformer_config);
  TRYV(transformers::parse(document));
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  if (group->settings.lock_shared()->log_group_class != LogGroupClass::STANDARD)
    return invalid_operation("Transformers are only supported for log groups in the Standard log class.");
  Logs& logs = call.service<Logs>();
  TRY(const LogSequence last, logs.last_sequence(*group));
  TRYV(logs.rules().put(*group, EventRules::Kind::kTransformer, document, last, to_ms(call.now)));
  return Empty{};
}

Result<GetTransformerResponse> get_transformer(Call& call, const GetTransformerRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  GetTransformerResponse out;
  const auto policy = call.service<Logs>().rules().get(*group, EventRules::Kind::kTransformer);
  if (!policy) return out;
  TRY(TestTransformerRequest read, decode_json<TestTransformerRequest>(policy->document));
  out.log_group_identifier = group_arn(*group);
  out.creation_time = policy->creation_ms;
  out.last_modified_time = policy->updated_ms;
  out.transformer_config = std::move(read.transformer_config);
  return out;
}

Result<Empty> delete_transformer(Call& call, const DeleteTransformerRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  Logs& logs = call.service<Logs>();
  if (!logs.rules().get(*group, EventRules::Kind::kTransformer))
    return fault(ResourceNotFoundException{.message = "The specified transformer does not exist."});
  TRY(const LogSequence last, logs.last_sequence(*group));
  TRYV(logs.rules().erase(*group, EventRules::Kind::kTransformer, last, to_ms(call.now)));
  return Empty{};
}

Result<TestTransformerResponse> test_transformer(Call& call, const TestTransformerRequest& in) {
  TRY(const auto transformer, transformers::parse(document_of(in.transformer_config)));
  TestTransformerResponse out;
  auto& logs = out.transformed_logs.emplace();
  std::int64_t number = 0;
  for (const std::string& message : in.log_event_messages) {
    TransformedLogRecord& record = logs.emplace_back();
    record.event_number = ++number;
    record.event_message = message;
    record.transformed_event_message =
        transformer->transform({.message = message, .account = call.account, .region = call.region}).value_or(message);
  }
  return out;
}

constexpr Operation kOperations[] = {
    heavy(bind<put_transformer>()),
    bind<get_transformer>(),
    heavy(bind<delete_transformer>()),
    heavy(bind<test_transformer>()),
};

}  // namespace

std::span<const Operation> transformer_operations() { return kOperations; }

}  // namespace fog::logs

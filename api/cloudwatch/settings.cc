// OTel enrichment and datasets: switches of an account and region.
//
// Documents of kind "cw-setting": "otel-enrichment" (present: running), "dataset-key" (the key's ARN).
#include "api/cloudwatch/metric_tags.h"
#include "api/cloudwatch/model.h"
#include "api/cloudwatch/service.h"

namespace fog::cloudwatch {
namespace {

ResourceKey key_of(const Call& call, std::string_view name) {
  return {std::string(kSettingKind), call.account, call.region, std::string(name)};
}

Result<GetOTelEnrichmentOutput> get_otel_enrichment(Call& call, const GetOTelEnrichmentInput&) {
  GetOTelEnrichmentOutput out;
  out.status = call.service<ResourceStore>().get(key_of(call, "otel-enrichment")) ? OTelEnrichmentStatus::Running
                                                                                 : OTelEnrichmentStatus::Stopped;
  return out;
}

Result<StartOTelEnrichmentOutput> start_otel_enrichment(Call& call, const StartOTelEnrichmentInput&) {
  TRYV(call.service<ResourceStore>().put(key_of(call, "otel-enrichment"), "running"));
  return StartOTelEnrichmentOutput{};
}

Result<StopOTelEnrichmentOutput> stop_otel_enrichment(Call& call, const StopOTelEnrichmentInput&) {
  TRYV(call.service<ResourceStore>().erase(key_of(call, "otel-enrichment")));
  return StopOTelEnrichmentOutput{};
}

// The only dataset is "default"; an ARN must be that of the caller's own.
Status check_dataset(const Call& call, const std::string& identifier) {
  if (identifier == "default" || identifier == dataset_arn(call)) return Ok{};
  return not_found("Dataset", identifier, "The dataset " + identifier + " does not exist.");
}

Result<GetDatasetOutput> get_dataset(Call& call, const GetDatasetInput& in) {
  TRYV(check_dataset(call, in.dataset_identifier));
  GetDatasetOutput out;
  out.dataset_id = "default";
  out.arn = dataset_arn(call);
  out.kms_key_arn = call.service<ResourceStore>().get(key_of(call, "dataset-key"));
  return out;
}

Result<AssociateDatasetKmsKeyOutput> associate_dataset_kms_key(Call& call, const AssociateDatasetKmsKeyInput& in) {
  TRYV(check_dataset(call, in.dataset_identifier));
  TRYV(call.service<ResourceStore>().put(key_of(call, "dataset-key"), in.kms_key_arn));
  return AssociateDatasetKmsKeyOutput{};
}

Result<DisassociateDatasetKmsKeyOutput> disassociate_dataset_kms_key(Call& call,
                                                                     const DisassociateDatasetKmsKeyInput& in) {
  TRYV(check_dataset(call, in.dataset_identifier));
  auto& store = call.service<ResourceStore>();
  if (!store.get(key_of(call, "dataset-key")))
    return not_found("KmsKey", in.dataset_identifier, "The dataset has no associated KMS key.");
  TRYV(store.erase(key_of(call, "dataset-key")));
  return DisassociateDatasetKmsKeyOutput{};
}

constexpr Operation kOperations[] = {bind<associate_dataset_kms_key>(), bind<disassociate_dataset_kms_key>(),
                                     bind<get_dataset>(),               bind<get_otel_enrichment>(),
                                     bind<start_otel_enrichment>(),     bind<stop_otel_enrichment>()};

}  // namespace

bool is_enriched(const ResourceStore& resources, const std::string& account, const std::string& region) {
  return resources.get({std::string(kSettingKind), account, region, "otel-enrichment"}).has_value();
}

std::span<const Operation> setting_operations() { return kOperations; }

}  // namespace fog::cloudwatch

#include "api/apply/stand_in.h"

#include <fmt/format.h>

namespace fog::apply {
namespace {

struct Known {
  std::string_view type;
  const char* name;  // property
  // ARN of the resource, {p} partition, {r} region, {a} account, {n} name
  std::string_view arn;
  std::string_view attribute = "Arn";
  bool ref_is_arn = false;
};

// What alarms, filters and policies of templates refer to most.
constexpr Known kKnown[] = {
    {"AWS::Lambda::Function", "FunctionName", "arn:{p}:lambda:{r}:{a}:function:{n}"},
    {"AWS::Serverless::Function", "FunctionName", "arn:{p}:lambda:{r}:{a}:function:{n}"},
    {"AWS::IAM::Role", "RoleName", "arn:{p}:iam::{a}:role/{n}"},
    {"AWS::IAM::User", "UserName", "arn:{p}:iam::{a}:user/{n}"},
    {"AWS::IAM::ManagedPolicy", "ManagedPolicyName", "arn:{p}:iam::{a}:policy/{n}", "PolicyArn", true},
    {"AWS::S3::Bucket", "BucketName", "arn:{p}:s3:::{n}"},
    {"AWS::DynamoDB::Table", "TableName", "arn:{p}:dynamodb:{r}:{a}:table/{n}"},
    {"AWS::Serverless::SimpleTable", "TableName", "arn:{p}:dynamodb:{r}:{a}:table/{n}"},
    {"AWS::Kinesis::Stream", "Name", "arn:{p}:kinesis:{r}:{a}:stream/{n}"},
    {"AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", "arn:{p}:firehose:{r}:{a}:deliverystream/{n}"},
    {"AWS::KMS::Key", "", "arn:{p}:kms:{r}:{a}:key/{n}"},
    {"AWS::StepFunctions::StateMachine", "StateMachineName", "arn:{p}:states:{r}:{a}:stateMachine:{n}", "Arn", true},
    {"AWS::Serverless::StateMachine", "Name", "arn:{p}:states:{r}:{a}:stateMachine:{n}", "Arn", true},
    {"AWS::ECS::Cluster", "ClusterName", "arn:{p}:ecs:{r}:{a}:cluster/{n}"},
    {"AWS::ECS::Service", "ServiceName", "arn:{p}:ecs:{r}:{a}:service/{n}", "ServiceArn", true},
    {"AWS::Events::EventBus", "Name", "arn:{p}:events:{r}:{a}:event-bus/{n}"},
    {"AWS::Events::Rule", "Name", "arn:{p}:events:{r}:{a}:rule/{n}"},
    {"AWS::SecretsManager::Secret", "Name", "arn:{p}:secretsmanager:{r}:{a}:secret:{n}", "Id", true},
    {"AWS::ElasticLoadBalancingV2::LoadBalancer", "Name", "arn:{p}:elasticloadbalancing:{r}:{a}:loadbalancer/app/{n}/0", "LoadBalancerArn", true},
    {"AWS::RDS::DBInstance", "DBInstanceIdentifier", "arn:{p}:rds:{r}:{a}:db:{n}", "DBInstanceArn"},
};

const Known* find_known(std::string_view type) {
  for (const Known& known : kKnown) {
    if (known.type == type) return &known;
  }
  return nullptr;
}

std::string fill(std::string_view pattern, const Context& context, const std::string& name) {
  return fmt::format(fmt::runtime(pattern), fmt::arg("p", context.partition), fmt::arg("r", context.region), fmt::arg("a", context.account), fmt::arg("n", name));
}

}  // namespace

Json stand_in_name(std::string_view type, const Json& properties) {
  const Known* known = find_known(type);
  return known != nullptr && *known->name != '\0' && properties.contains(known->name) ? properties[known->name] : Json(nullptr);
}

Identity stand_in(const Context& context, std::string_view type, std::string name) {
  if (name.empty()) name = context.default_name();
  Identity made{.ref = name, .attributes = {}};
  const Known* known = find_known(type);
  if (known == nullptr) return made;
  const std::string arn = fill(known->arn, context, name);
  made.attributes[std::string(known->attribute)] = arn;
  made.attributes["Arn"] = arn;
  if (known->ref_is_arn) made.ref = arn;
  return made;
}

std::string reason_to_skip(std::string_view type) {
  if (type == "AWS::CDK::Metadata") return "nothing but metadata";
  if (type.starts_with("Custom::") || type.starts_with("AWS::CloudFormation::")) return "CloudFormation's own machinery";
  for (const std::string_view own : {"AWS::CloudWatch::", "AWS::Logs::", "AWS::SNS::", "AWS::XRay::", "AWS::SQS::"}) {
    if (type.starts_with(own)) return "this type is not supported yet";
  }
  return "of a service that is not here";
}

}  // namespace fog::apply

#include "server/apply_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace fog {
namespace {

// "Key=Value", and "ParameterKey=Key,ParameterValue=Value" as the AWS CLI has it.
bool add_parameter(const std::string& text, std::map<std::string, std::string>& parameters) {
  constexpr std::string_view kKey = "ParameterKey=";
  constexpr std::string_view kValue = ",ParameterValue=";
  if (text.starts_with(kKey)) {
    const std::size_t value = text.find(kValue);
    if (value == std::string::npos) return false;
    parameters[text.substr(kKey.size(), value - kKey.size())] = text.substr(value + kValue.size());
    return true;
  }
  const std::size_t equal = text.find('=');
  if (equal == std::string::npos || equal == 0) return false;
  parameters[text.substr(0, equal)] = text.substr(equal + 1);
  return true;
}

// "cdk.out/Watch.template.json" -> "Watch"
std::string stack_of(const std::string& file) {
  if (file == "-") return "fogwatch";
  std::string name = file.substr(file.rfind('/') + 1);
  name.resize(std::min(name.find('.'), name.size()));
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '-';
  }
  return name.empty() ? "fogwatch" : name;
}

}  // namespace

Result<ApplyOptions> parse_apply_options(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment) {
  ApplyOptions options;
  const auto take = [&](const char* name, std::string& target) {
    if (const auto found = environment.find(name); found != environment.end() && !found->second.empty()) target = found->second;
  };
  take("AWS_ENDPOINT_URL", options.endpoint);
  take("AWS_DEFAULT_REGION", options.region);
  take("AWS_REGION", options.region);
  take("AWS_ACCESS_KEY_ID", options.access_key);
  take("AWS_SECRET_ACCESS_KEY", options.secret_key);
  take("AWS_SESSION_TOKEN", options.session_token);
  take("AWS_CA_BUNDLE", options.ca_file);

  CLI::App app("Make the CloudWatch, Logs, SNS, SQS and X-Ray resources of a CloudFormation or SAM template, JSON or YAML, on a running server. "
               "What is there already and right stays as it is.", "fogwatch apply");
  std::vector<std::string> parameters;
  app.add_option("template", options.file, "the template's file; - reads standard input")->required()->type_name("FILE");
  app.add_option("--endpoint,--endpoint-url", options.endpoint, "the server; AWS_ENDPOINT_URL (http://127.0.0.1:4566)")->type_name("URL");
  app.add_option("--parameters,--parameter-overrides", parameters, "values of the template's parameters")->type_name("KEY=VALUE ...");
  app.add_option("--stack,--stack-name", options.stack, "what resources without a name are called after (the file's name)")->type_name("NAME");
  app.add_option("--region", options.region, "AWS_REGION (us-east-1)")->type_name("NAME");
  app.add_option("--access-key", options.access_key, "AWS_ACCESS_KEY_ID; a 12-digit one chooses the account")->type_name("KEY");
  app.add_option("--secret-key", options.secret_key, "better given as AWS_SECRET_ACCESS_KEY")->type_name("SECRET");
  app.add_option("--ca-file", options.ca_file, "PEM of who signed the server's certificate; AWS_CA_BUNDLE")->type_name("FILE");
  app.add_flag("--delete", options.deletes, "take the template's resources away, those with DeletionPolicy Retain excepted");
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    options.help = app.help();
    return options;
  } catch (const CLI::ParseError& e) {
    return Error::invalid(fmt::format("{}\nRun 'fogwatch apply --help' for the options.", e.what()));
  }
  for (const std::string& text : parameters) {
    if (!add_parameter(text, options.parameters)) return Error::invalid(fmt::format("--parameters: '{}' is not KEY=VALUE", text));
  }
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  if (!options.endpoint.starts_with("http://") && !options.endpoint.starts_with("https://")) return Error::invalid(fmt::format("--endpoint: '{}' is not a URL", options.endpoint));
  if (options.stack.empty()) options.stack = stack_of(options.file);
  return options;
}

}  // namespace fog

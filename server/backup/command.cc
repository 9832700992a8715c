#include "server/backup/command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "server/app.h"
#include "server/backup/backup.h"

namespace fog::backup {
namespace {

int complain(const Error& error) {
  fmt::print(stderr, "fogwatch: {}\n", error.message());
  return error.kind() == ErrorKind::kInvalid ? 2 : 1;
}

// The folder that `fogwatch serve` with the same --config and --data would use.
Result<std::filesystem::path> data_folder(const std::string& config, const std::string& data, const Environment& environment) {
  std::vector<std::string> words{"serve"};
  if (!config.empty()) words.insert(words.end(), {"--config", config});
  if (!data.empty()) words.insert(words.end(), {"--data", data});
  TRY(const CommandLine line, parse_command_line(words, environment));
  if (line.config.ephemeral) return Error::invalid("a server that keeps everything in memory has no data folder");
  return line.config.data;
}

// 0: go on; else the exit code, after what was to be said has been.
std::optional<int> parse(CLI::App& app, const std::vector<std::string>& arguments) {
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& e) {
    fmt::print(stderr, "fogwatch: {}\n", e.what());
    return 2;
  }
  return std::nullopt;
}

}  // namespace

int run_backup(const std::vector<std::string>& arguments, const Environment& environment) {
  CLI::App app("Copies a data folder into a new folder or one tar file. The server may be running.", "fogwatch backup");
  std::string to, data, config;
  app.add_option("to", to, "the new folder, or a name that ends in .tar")->required()->type_name("DIR|FILE.tar");
  app.add_option("--data", data, "the data folder ($XDG_DATA_HOME/fogwatch)")->type_name("DIR");
  app.add_option("--config", config, "the server's TOML file, which may name the data folder")->type_name("FILE");
  if (const auto code = parse(app, arguments)) return *code;
  const auto folder = data_folder(config, data, environment);
  if (!folder.ok()) return complain(folder.error());
  const auto made = make_backup(*folder, to);
  if (!made.ok()) return complain(made.error());
  fmt::print("{} files, {} bytes in {}\n", made->files, made->bytes, to);
  return 0;
}

int run_restore(const std::vector<std::string>& arguments, const Environment&) {
  CLI::App app("Makes a new data folder of a backup, after comparing every byte with its sum.", "fogwatch restore");
  std::string from, data;
  app.add_option("backup", from, "what `fogwatch backup` made")->required()->type_name("DIR|FILE.tar");
  app.add_option("--data,--data-dir", data, "the new data folder; absent or empty")->required()->type_name("DIR");
  if (const auto code = parse(app, arguments)) return *code;
  const auto made = restore_backup(from, data);
  if (!made.ok()) return complain(made.error());
  fmt::print("{} files, {} bytes verified and restored to {}\n", made->files, made->bytes, data);
  return 0;
}

int run_check(const std::filesystem::path& folder) {
  if (is_backup(folder)) {
    const auto read = verify_backup(folder);
    if (!read.ok()) return complain(read.error());
    fmt::print("{} files, {} bytes: all is well.\n", read->files, read->bytes);
    return 0;
  }
  const auto findings = check_data_folder(folder);
  if (!findings.ok()) return complain(findings.error());
  for (const std::string& finding : *findings) fmt::print("{}\n", finding);
  fmt::print("{}\n", findings->empty() ? "All is well." : fmt::format("{} findings.", findings->size()));
  return findings->empty() ? 0 : 1;
}

}  // namespace fog::backup

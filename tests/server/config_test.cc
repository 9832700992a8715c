// The command line, the environment and the file, and which of them wins.
#include "server/config.h"

#include <gtest/gtest.h>

#include <fstream>

namespace fog {
namespace {

const Environment kHome{{"HOME", "/home/ann"}};

Result<CommandLine> parse(std::vector<std::string> arguments, Environment environment = kHome) {
  return parse_command_line(arguments, environment);
}

std::string error_of(std::vector<std::string> arguments, Environment environment = kHome) {
  const auto line = parse(std::move(arguments), std::move(environment));
  return line.ok() ? "" : line.error().message();
}

std::string write_file(const std::string& text) {
  const std::string path = testing::TempDir() + "/fogwatch-config-test.toml";
  std::ofstream(path) << text;
  return path;
}

TEST(Config, defaults_are_those_of_the_manual) {
  const auto line = parse({"serve"});
  ASSERT_TRUE(line.ok());
  const Config& c = line->config;
  EXPECT_EQ(c.listen.text(), "127.0.0.1:4566");
  EXPECT_EQ(c.xray_listen->text(), "127.0.0.1:2000");
  EXPECT_EQ(c.data, "/home/ann/.local/share/fogwatch");
  EXPECT_EQ(c.durability, Durability::kStrict);
  EXPECT_EQ(c.region, "us-east-1");
  EXPECT_EQ(c.account, "000000000000");
}

TEST(Config, the_data_folder_follows_xdg) {
  EXPECT_EQ(parse({"serve"}, {{"XDG_DATA_HOME", "/data"}})->config.data, "/data/fogwatch");
  EXPECT_NE(error_of({"serve"}, {}).find("--data"), std::string::npos);
  EXPECT_EQ(error_of({"serve", "--ephemeral"}, {}), "");
}

TEST(Config, flag_beats_environment_beats_file) {
  const std::string file = write_file("region = 'eu-west-1'\naccount = '111111111111'\nxray_listen = 'off'\n");
  const auto from_file = parse({"serve", "--config", file});
  ASSERT_TRUE(from_file.ok()) << from_file.error().message();
  EXPECT_EQ(from_file->config.region, "eu-west-1");
  EXPECT_FALSE(from_file->config.xray_listen);
  const Environment environment{{"HOME", "/h"}, {"FOGWATCH_REGION", "eu-north-1"}, {"FOGWATCH_CONFIG", file}};
  EXPECT_EQ(parse({"serve"}, environment)->config.region, "eu-north-1");
  EXPECT_EQ(parse({"serve"}, environment)->config.account, "111111111111");
  EXPECT_EQ(parse({"serve", "--region", "ap-south-1"}, environment)->config.region, "ap-south-1");
}

TEST(Config, a_file_that_is_no_toml_is_refused) {
  for (const char* text : {"[::1]:0", "[", "a = ", "= 1", "a.b.", "[[x]", "\"", "a = 1979-13-45"})
    EXPECT_NE(error_of({"serve", "--config", write_file(text)}), "") << text;
}

TEST(Config, every_value_that_makes_no_sense_is_named_with_its_source) {
  const std::string bad_key = write_file("regoin = 'x'\n");
  const std::string bad_value = write_file("regoin = 'x'\n");
  const struct {
    std::vector<std::string> arguments;
    Environment environment;
    const char* piece;
  } rows[] = {
      {{"serve", "--listen", "nowhere"}, kHome, "nowhere"},
      {{"serve", "--listen", "127.0.0.1:70000"}, kHome, "70000"},
      {{"serve", "--listen", "127.0.0.1:"}, kHome, "127.0.0.1:"},
      {{"serve", "--account", "12"}, kHome, "--account"},
      {{"serve", "--region", "EU"}, kHome, "region"},
      {{"serve", "--durability", "lax"}, kHome, "lax"},
      {{"serve", "--log-level", "loud"}, kHome, "loud"},
      {{"serve", "--profile", "site"}, kHome, "--keys-file"},
      {{"serve", "--profile", "site", "--keys-file", "k", "--ephemeral"}, kHome, "--ephemeral"},
      {{"serve", "--profile", "site", "--keys-file", "k", "--durability", "relaxed"}, kHome, "strict"},
      {{"serve", "--profile", "site", "--keys-file", "k", "--xray-listen", "0.0.0.0:2000", "--allow-open-dev"}, kHome, "--xray-listen"},
      {{"serve", "--profile", "site", "--keys-file", "k", "--listen", "0.0.0.0:4566"}, kHome, "--tls-cert"},
      {{"serve", "--door-sources", "10.0.0.0/40"}, kHome, "door-sources"},
      {{"keys", "add", "--file", "k", "--name", "n", "--admin", "--policy", "p"}, kHome, "--admin"},
      {{"serve", "--profile", "prod"}, kHome, "prod"},
      {{"serve", "--bogus"}, kHome, "bogus"},
      {{"serve", "--data", "/x", "--ephemeral"}, kHome, "--ephemeral"},
      {{"serve", "--config", "/no/such/file"}, kHome, "/no/such/file"},
      {{"serve", "--config", bad_key}, kHome, "regoin"},
      {{"serve"}, {{"HOME", "/h"}, {"FOGWATCH_DURABILITY", "x"}}, "FOGWATCH_DURABILITY"},
      {{"serve"}, {{"HOME", "/h"}, {"FOGWATCH_EPHEMERAL", "maybe"}}, "FOGWATCH_EPHEMERAL"},
      {{"serve", "--threads", "many"}, kHome, "many"},
      {{"dance"}, kHome, "dance"},
  };
  for (const auto& row : rows) {
    const std::string message = error_of(row.arguments, row.environment);
    EXPECT_NE(message.find(row.piece), std::string::npos) << row.piece << " in: " << message;
  }
}

TEST(Config, listening_beyond_loopback_must_be_asked_for_twice) {
  for (const char* address : {"0.0.0.0:4566", "192.168.1.5:4566", "[::]:4566", ":4566"}) {
    EXPECT_NE(error_of({"serve", "--listen", address}).find("--allow-open-dev"), std::string::npos) << address;
    EXPECT_EQ(error_of({"serve", "--listen", address, "--allow-open-dev"}), "") << address;
  }
  EXPECT_NE(error_of({"serve", "--xray-listen", "0.0.0.0:2000"}).find("xray-listen"), std::string::npos);
  for (const char* address : {"127.0.0.1:0", "127.9.9.9:1", "[::1]:4566", "localhost:4566"}) {
    EXPECT_EQ(error_of({"serve", "--listen", address}), "") << address;
  }
}

TEST(Config, commands) {
  EXPECT_EQ(parse({"version"})->command, Command::kVersion);
  EXPECT_EQ(parse({"check", "/d"})->command, Command::kCheck);
  EXPECT_EQ(parse({"check", "/d"})->folder, "/d");
  EXPECT_EQ(parse({})->command, Command::kHelp);
  EXPECT_EQ(parse({"--help"})->command, Command::kHelp);
  EXPECT_NE(parse({"serve", "--help"})->text.find("--xray-listen"), std::string::npos);
  for (const char* own : {"apply", "backup", "restore"}) EXPECT_NE(parse({"--help"})->text.find(own), std::string::npos) << own;
}

TEST(Config, a_site_is_shut_where_dev_is_open) {
  const auto dev = parse({"serve"});
  EXPECT_TRUE(dev->config.reaches_private());
  const auto site = parse({"serve", "--profile", "site", "--keys-file", "k"});
  ASSERT_TRUE(site.ok()) << site.error().message();
  EXPECT_EQ(site->config.profile, Profile::kSite);
  EXPECT_FALSE(site->config.reaches_private());
  EXPECT_EQ(site->config.durability, Durability::kStrict);
  EXPECT_TRUE(parse({"serve", "--profile", "site", "--keys-file", "k", "--outbound-private", "true"})->config.reaches_private());
  EXPECT_TRUE(parse({"serve", "--profile", "site", "--keys-file", "k", "--xray-listen", "0.0.0.0:2000", "--door-sources", "10.0.0.0/8"}).ok());
}

TEST(Config, people_are_made_by_name) {
  const auto line = parse({"users", "add", "--file", "k", "--admin", "ann"});
  ASSERT_TRUE(line.ok()) << line.error().message();
  EXPECT_EQ(line->command, Command::kUsers);
  EXPECT_EQ(line->users.action, UsersCommand::Action::kAdd);
  EXPECT_EQ(line->users.name, "ann");
  EXPECT_TRUE(line->users.is_admin);
  EXPECT_EQ(parse({"users", "list", "--file", "k"})->users.action, UsersCommand::Action::kList);
}

}  // namespace
}  // namespace fog

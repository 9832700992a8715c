// Configuration files, addresses and fault rules.
#include "server/config.h"

#include <fstream>

#include "api/common/registry.h"
#include "api/control/faults.h"
#include "tests/fuzz/target.h"
#include "tests/storage/temp_folder.h"

namespace fog::fuzz {

FOG_FUZZ(config) {
  static const testing::TempFolder folder;
  const auto file = folder.path() / "fogwatch.toml";
  {
    std::ofstream out(file, std::ios::binary);
    out << input;
  }
  (void)parse_command_line({"serve", "--config", file.string()}, {});
  (void)parse_listen_address(std::string(input.substr(0, 200)));
  static const Registry registry;
  (void)parse_fault_rules(std::string(input), registry);
}

FOG_FUZZ_SEEDS(config) {
  return {"listen = \"127.0.0.1:4566\"\nxray-listen = \"off\"\ndurability = \"relaxed\"\nthreads = 2\nephemeral = true\nlog_level = \"warn\"\nallowed-hosts = [\"a\", 'b']\n# c\n[table]\nx = 1979-05-27T07:32:00Z\n", "[::1]:0", ":4566", "localhost:1",
          R"({"rules":[{"probability":0.5,"count":3,"latency_ms":10,"drop":true},{"throttle":true,"account":"1","region":"r","access_key":"k"},{"error":{"code":"X","message":"m","status":500}}]})"};
}

}  // namespace fog::fuzz

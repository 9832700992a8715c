// A spool whose files hold any bytes.
#include "storage/spool/spool.h"

#include <fstream>
#include <iterator>

#include "storage/base/log.h"
#include "tests/fuzz/target.h"
#include "tests/storage/temp_folder.h"

namespace fog::fuzz {

FOG_FUZZ(spool) {
  log::set_level(log::Level::kOff);
  const testing::TempFolder folder;
  Cut cut(input);
  const std::string_view place = cut.next();
  std::ofstream(folder.path() / "0000000000000001.spool", std::ios::binary) << cut.rest();
  if (!place.empty()) std::ofstream(folder.path() / "place", std::ios::binary) << place;
  auto spool = Spool::open({.folder = folder.path()});
  if (!spool.ok()) return;
  (void)(*spool)->push("new");
  for (int i = 0; i < 1000 && (*spool)->front(); ++i) (*spool)->pop();
  (void)(*spool)->sync();
}

FOG_FUZZ_SEEDS(spool) {
  const testing::TempFolder folder;
  {
    auto spool = Spool::open({.folder = folder.path()});
    for (int i = 0; i < 4; ++i) (void)(*spool)->push(std::string(static_cast<std::size_t>(i) * 5, 'r'));
    (*spool)->pop();
    (void)(*spool)->sync();
  }
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    all = entry.path().filename() == "place" ? bytes + '\x1f' + all : all + bytes;
  }
  return {all, "\x1f" + all};
}

}  // namespace fog::fuzz

// Hash tables of strangers' names: keyed, spread evenly, and not to be filled into one bucket.
#include "storage/base/seeded_hash.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace fog {
namespace {

TEST(SeededHash, is_what_tables_of_texts_use) {
  EXPECT_EQ(std::hash<std::string>()("name"), std::hash<std::string_view>()("name"));
  EXPECT_NE(std::hash<std::string>()("name"), std::hash<std::string>()("namf"));
  EXPECT_EQ(seeded_hash("a"), seeded_hash("a"));
  std::unordered_set<std::uint64_t> seen;
  std::string text;
  for (int i = 0; i < 3000; ++i, text += static_cast<char>(i)) seen.insert(seeded_hash(text));
  EXPECT_EQ(seen.size(), 3000u);
}

// The inverse of the library's own hash (Murmur 2 with its public seed): texts of 16 bytes whose hashes
// it takes for equal. With them a table of the plain library degrades to one list.
constexpr std::uint64_t kMul = (std::uint64_t{0xc6a4a793} << 32) + 0x5bd1e995;

std::uint64_t inverse_of_mul() {
  std::uint64_t x = kMul;
  for (int i = 0; i < 6; ++i) x *= 2 - kMul * x;
  return x;
}

std::uint64_t mixed(std::uint64_t word) {
  word *= kMul;
  word ^= word >> 47;
  return word * kMul;
}

std::uint64_t unmixed(std::uint64_t word) {
  word *= inverse_of_mul();
  word ^= word >> 47;
  return word * inverse_of_mul();
}

// For any first word, the second that leads to the same state.
std::vector<std::string> colliding(std::size_t count) {
  const std::uint64_t start = std::uint64_t{0xc70f6907} ^ (16 * kMul);
  std::vector<std::string> out;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t state = (start ^ mixed(i)) * kMul;
    const std::uint64_t second = unmixed(state ^ 0x5eed);  // so that state ^ mixed(second) is always the same
    std::string text(16, '\0');
    std::memcpy(text.data(), &i, 8);
    std::memcpy(text.data() + 8, &second, 8);
    out.push_back(std::move(text));
  }
  return out;
}

std::uint64_t library_hash(const std::string& text) {
  std::uint64_t h = std::uint64_t{0xc70f6907} ^ (16 * kMul);
  for (int i = 0; i < 2; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + 8 * i, 8);
    h = (h ^ mixed(word)) * kMul;
  }
  h ^= h >> 47;
  h *= kMul;
  return h ^ (h >> 47);
}

TEST(SeededHash, a_flood_of_names_that_the_library_takes_for_one_is_spread) {
  const auto names = colliding(20'000);
  for (const std::string& name : names) ASSERT_EQ(library_hash(name), library_hash(names[0])) << "the attack itself is wrong";
  std::unordered_map<std::string, int> table;
  for (const std::string& name : names) table[name] = 1;
  ASSERT_EQ(table.size(), names.size());
  std::size_t longest = 0;
  for (std::size_t i = 0; i < table.bucket_count(); ++i) longest = std::max(longest, table.bucket_size(i));
  EXPECT_LT(longest, 16u);
}

TEST(SeededHash, differs_from_process_to_process) {
  const char* again = std::getenv("FOG_SEEDED_HASH_CHILD");
  if (again != nullptr) {
    std::printf("%llu\n", static_cast<unsigned long long>(seeded_hash("name")));
    return;
  }
  std::unordered_set<std::string> seen{std::to_string(seeded_hash("name"))};
  char self[4096] = {};
  ASSERT_GT(::readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
  const std::string command = "FOG_SEEDED_HASH_CHILD=1 " + std::string(self) + " --gtest_filter=SeededHash.differs* | grep -E '^[0-9]+$'";
  for (int i = 0; i < 3; ++i) {
    FILE* pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    char line[64] = {};
    ASSERT_NE(std::fgets(line, sizeof(line), pipe), nullptr);
    EXPECT_EQ(::pclose(pipe), 0);
    seen.insert(std::string(line).substr(0, std::strcspn(line, "\n")));
  }
  EXPECT_EQ(seen.size(), 4u);
}

}  // namespace
}  // namespace fog

// The driver of fuzz targets: seeds, mutates, watches coverage, keeps what reached new code.
//
//   fuzz_query -list
//   fuzz_query insights -max_total_time=30 -seed=1 -artifact_prefix=DIR/ SEEDS...     folders and files
//
// Options are spelled as libFuzzer's. The input under test lies in a mapped file DIR/TARGET.input, so that it is there
// after any death of the process. An input that takes longer than -timeout (10 s) ends the process with code 70.
// The same seed gives the same inputs, as long as the code under test does not change.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <set>

#include "tests/fuzz/coverage.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kInputBytesMax = 64 * 1024;
constexpr std::size_t kCorpusMax = 20'000;
constexpr std::size_t kWordsMax = 2'000;

struct Options {
  std::string target;
  double seconds = 10;
  std::uint64_t runs = UINT64_MAX;
  std::uint64_t seed = 1;
  unsigned timeout = 10;
  std::string artifacts = "./";
  std::vector<std::string> seeds;
  bool only_replay = false;  // files were named: run them once each
};

// The place of the input under test; survives the process.
struct Note {
  std::uint32_t size;
  char bytes[kInputBytesMax];
};
Note* note = nullptr;

extern "C" void on_alarm(int) {
  constexpr char kText[] = "fuzz: an input takes too long\n";
  [[maybe_unused]] const auto written = ::write(2, kText, sizeof kText - 1);
  ::_exit(70);
}

class Fuzzer {
 public:
  Fuzzer(const Target& target, const Options& options) : target_(target), options_(options), dice_(options.seed) {}

  int run() {
    open_note();
    std::signal(SIGALRM, on_alarm);
    for (const std::string& place : options_.seeds) read(place);
    if (options_.only_replay) {
      for (const std::string& seed : seeds_) one(seed);
      std::printf("%s: %zu inputs replayed\n", std::string(target_.name).c_str(), seeds_.size());
      return 0;
    }
    if (target_.seeds != nullptr)
      for (std::string& seed : target_.seeds()) seeds_.push_back(std::move(seed));
    seeds_.emplace_back();
    for (const std::string& seed : seeds_) learn_words(seed);
    const auto begun = Clock::now();
    const auto end = begun + std::chrono::duration<double>(options_.seconds);
    for (const std::string& seed : seeds_) {
      if (Clock::now() > end && runs_ > 0) break;
      one(seed);
      if (found_new() || !has_coverage()) corpus_.push_back(seed);
    }
    if (corpus_.empty()) corpus_.emplace_back();
    while (runs_ < options_.runs && Clock::now() < end) {
      std::string input = mutate(corpus_[pick()]);
      one(input);
      if (found_new() && corpus_.size() < kCorpusMax) {
        learn_words(input);
        corpus_.push_back(std::move(input));
      }
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    std::printf("%s: %llu runs in %.1f s, %zu seeds, %zu kept, %zu places, slowest %.3f s\n", std::string(target_.name).c_str(),
                static_cast<unsigned long long>(runs_), seconds, seeds_.size(), corpus_.size(), reached_, slowest_);
    return 0;
  }

 private:
  void open_note() {
    const std::string path = options_.artifacts + std::string(target_.name) + ".input";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ::ftruncate(fd, sizeof(Note)) != 0) {
      std::perror(path.c_str());
      std::exit(2);
    }
    note = static_cast<Note*>(::mmap(nullptr, sizeof(Note), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ::close(fd);
  }

  void read(const fs::path& place) {
    if (fs::is_directory(place)) {
      std::set<fs::path> files;
      for (const auto& entry : fs::directory_iterator(place)) files.insert(entry.path());
      for (const auto& file : files) read(file);
      return;
    }
    std::ifstream in(place, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (bytes.size() <= kInputBytesMax) seeds_.push_back(std::move(bytes));
  }

  static bool has_coverage() { return std::any_of(places.begin(), places.end(), [](std::uint8_t n) { return n != 0; }); }

  void one(const std::string& input) {
    ++runs_;
    note->size = static_cast<std::uint32_t>(input.size());
    std::memcpy(note->bytes, input.data(), input.size());
    // Exactly as large as the input, so that a read past its end is seen.
    const auto copy = std::make_unique_for_overwrite<char[]>(input.size());
    std::memcpy(copy.get(), input.data(), input.size());
    places.fill(0);
    ::alarm(options_.timeout);
    const auto begun = Clock::now();
    target_.one({copy.get(), input.size()});
    slowest_ = std::max(slowest_, std::chrono::duration<double>(Clock::now() - begun).count());
    ::alarm(0);
  }

  // Counters in steps of 1, 2, 3, 4, 8, 16, 32, 128: more rounds of a loop are something new, too.
  bool found_new() {
    bool is_new = false;
    for (std::size_t i = 0; i < places.size(); i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, &places[i], 8);
      if (word == 0) continue;
      for (std::size_t k = i; k < i + 8; ++k) {
        const std::uint8_t n = places[k];
        if (n == 0) continue;
        const auto step = static_cast<std::uint8_t>(1U << (n < 4 ? n - 1U : n < 8 ? 3U : n < 16 ? 4U : n < 32 ? 5U : n < 128 ? 6U : 7U));
        if (seen_[k] == 0) ++reached_;
        if ((seen_[k] & step) == 0) is_new = true;
        seen_[k] |= step;
      }
    }
    return is_new;
  }

  std::size_t below(std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(dice_() % n); }
  // Half of the time one of the newest.
  std::size_t pick() {
    const std::size_t n = corpus_.size();
    return dice_() % 2 == 0 ? n - 1 - below(std::min<std::size_t>(n, 1 + n / 8)) : below(n);
  }

  // Words and signs of inputs, to be put in elsewhere.
  void learn_words(std::string_view text) {
    for (std::size_t i = 0; i < text.size() && words_.size() < kWordsMax;) {
      std::size_t end = i;
      while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) ++end;
      if (end == i) ++end;
      if (end - i <= 40 && known_words_.insert(std::string(text.substr(i, end - i))).second) words_.emplace_back(text.substr(i, end - i));
      i = end;
    }
  }

  std::string mutate(std::string bytes) {
    static constexpr std::array<std::string_view, 20> kOdd = {"\xff", "\xc3\xa9", "\xe2\x98\x83", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\\u0000", "\\ud800", "\r\n", "\n", "\"",
                                                              "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1e308", "1e-308", "-0", "NaN", "4294967295", "0x", "%00"};
    static constexpr std::string_view kNests = "([{\"'-!\\<$%";
    for (std::size_t times = 1 + below(below(8) == 0 ? 16 : 4); times > 0; --times) {
      const std::size_t at = below(bytes.size() + 1);
      const std::size_t n = 1 + below(std::min<std::size_t>(bytes.size() - std::min(at, bytes.size()) + 1, below(4) == 0 ? 200 : 12));
      switch (below(14)) {
        case 0:
          if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
          break;
        case 1:
          if (at < bytes.size()) bytes[at] = static_cast<char>(dice_());
          break;
        case 2: bytes.insert(at, 1, static_cast<char>(dice_())); break;
        case 3: bytes.erase(at, n); break;
        case 4: bytes.insert(at, bytes.substr(at, n)); break;
        case 5: {  // a piece of another input
          const std::string& other = corpus_[below(corpus_.size())];
          bytes.insert(at, other.substr(below(other.size() + 1), 1 + below(100)));
          break;
        }
        case 6: {  // the rest from another input
          const std::string& other = corpus_[below(corpus_.size())];
          bytes = bytes.substr(0, at) + other.substr(below(other.size() + 1));
          break;
        }
        case 7:
        case 8:
          if (!words_.empty()) bytes.insert(at, words_[below(words_.size())]);
          break;
        case 9:
          if (!words_.empty()) bytes.replace(at, std::min(n, bytes.size() - at), words_[below(words_.size())]);
          break;
        case 10: bytes.insert(at, kOdd[below(kOdd.size())]); break;
        case 11:
          if (below(6) == 0) bytes.insert(at, 1 + below(3000), kNests[below(kNests.size())]);
          break;
        case 12: {  // a piece many times over
          if (below(6) != 0) break;
          const std::string piece = bytes.substr(at, n);
          std::string many;
          for (std::size_t i = 2 + below(200); i > 0 && many.size() < 8000; --i) many += piece;
          bytes.insert(at, many);
          break;
        }
        default:
          if (at + 4 <= bytes.size()) {  // a number in binary
            const auto value = below(2) == 0 ? static_cast<std::uint32_t>(dice_()) : static_cast<std::uint32_t>(below(300)) - 20U;
            std::memcpy(bytes.data() + at, &value, 1 + below(4));
          }
          break;
      }
    }
    if (bytes.size() > kInputBytesMax) bytes.resize(kInputBytesMax);
    return bytes;
  }

  const Target& target_;
  const Options& options_;
  std::mt19937_64 dice_;
  std::vector<std::string> seeds_, corpus_, words_;
  std::set<std::string> known_words_;
  std::array<std::uint8_t, kPlaces> seen_{};
  std::uint64_t runs_ = 0;
  std::size_t reached_ = 0;
  double slowest_ = 0;
};

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto value = [&](std::string_view name) -> const char* { return word.starts_with(name) ? word.data() + name.size() : nullptr; };
    if (word == "-list") {
      std::set<std::string_view> names;
      for (const Target* t = Target::first; t != nullptr; t = t->next) names.insert(t->name);
      for (const auto name : names) std::printf("%s\n", std::string(name).c_str());
      return 0;
    }
    if (const char* v = value("-max_total_time=")) options.seconds = std::strtod(v, nullptr);
    else if (const char* r = value("-runs=")) options.runs = std::strtoull(r, nullptr, 10);
    else if (const char* s = value("-seed=")) options.seed = std::strtoull(s, nullptr, 10);
    else if (const char* t = value("-timeout=")) options.timeout = static_cast<unsigned>(std::strtoul(t, nullptr, 10));
    else if (const char* a = value("-artifact_prefix=")) options.artifacts = a;
    else if (options.target.empty()) options.target = word;
    else options.seeds.emplace_back(word);
  }
  options.only_replay = !options.seeds.empty() && std::none_of(options.seeds.begin(), options.seeds.end(), [](const auto& p) { return fs::is_directory(p); });
  for (const Target* t = Target::first; t != nullptr; t = t->next)
    if (t->name == options.target) return std::make_unique<Fuzzer>(*t, options)->run();
  std::fprintf(stderr, "no such target: %s (-list names them)\n", options.target.c_str());
  return 2;
}

}  // namespace
}  // namespace fog::fuzz

int main(int argc, char** argv) { return fog::fuzz::run(argc, argv); }

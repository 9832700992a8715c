// Reads row files: "verdict | text" with escapes in the text; '#' begins a comment line.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace fog::test {

struct Row {
  std::string verdict;
  std::string text;
  int line = 0;
};

inline std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'r': out += '\r'; break;
      case 'n': out += '\n'; break;
      case 't': out += '\t'; break;
      case '0': out += '\0'; break;
      case 'x':
        out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
        i += 2;
        break;
      default: out += text[i];
    }
  }
  return out;
}

inline std::string trimmed(std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

inline std::vector<Row> read_rows(const std::string& name) {
  std::ifstream in(std::string(FOG_SOURCE_DIR) + "/tests/server/" + name);
  if (!in) throw std::runtime_error("no rows: " + name);
  std::vector<Row> rows;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t bar = line.find('|');
    if (bar == std::string::npos) throw std::runtime_error("row without '|': " + line);
    rows.push_back({trimmed(line.substr(0, bar)), unescape(line.substr(bar + 2)), number});
  }
  return rows;
}

}  // namespace fog::test

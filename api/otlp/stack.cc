// Stack traces of six languages to frames.
#include "api/codec/text.h"
#include "api/otlp/segments.h"

namespace fog::otlp {

namespace {

constexpr std::size_t kFramesMax = 200;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// "path:12" or "path:12:5" to path and line.
void place(std::string_view text, bool with_column, StackFrame& frame) {
  auto colon = text.rfind(':');
  if (with_column && colon != std::string_view::npos && colon > 0) {
    const auto line_colon = text.rfind(':', colon - 1);
    if (line_colon != std::string_view::npos && parse_integer(text.substr(line_colon + 1, colon - line_colon - 1))) {
      text = text.substr(0, colon);
      colon = line_colon;
    }
  }
  if (colon == std::string_view::npos) {
    frame.path = text;
    return;
  }
  frame.path = text.substr(0, colon);
  frame.line = parse_integer(text.substr(colon + 1)).value_or(0);
}

// java: at a.b.C.m(File.java:12); nodejs: at f (path:1:2) or at path:1:2
bool read_at(std::string_view line, bool with_column, StackFrame& frame) {
  if (!line.starts_with("at ")) return false;
  line.remove_prefix(3);
  const auto open = line.rfind('(');
  if (open == std::string_view::npos || line.back() != ')') {
    place(line, with_column, frame);
    return true;
  }
  frame.label = trim(line.substr(0, open));
  place(line.substr(open + 1, line.size() - open - 2), with_column, frame);
  return true;
}

// dotnet: at A.B(C c) in path:line 12
bool read_dotnet(std::string_view line, StackFrame& frame) {
  if (!line.starts_with("at ")) return false;
  line.remove_prefix(3);
  const auto in = line.rfind(" in ");
  frame.label = line.substr(0, in);
  if (in == std::string_view::npos) return true;
  const auto where = line.substr(in + 4);
  const auto mark = where.rfind(":line ");
  frame.path = where.substr(0, mark);
  if (mark != std::string_view::npos) frame.line = parse_integer(where.substr(mark + 6)).value_or(0);
  return true;
}

// python: File "path", line 12, in label
bool read_python(std::string_view line, StackFrame& frame) {
  if (!line.starts_with("File \"")) return false;
  line.remove_prefix(6);
  const auto quote = line.find('"');
  if (quote == std::string_view::npos) return false;
  frame.path = line.substr(0, quote);
  const auto number = line.find(", line ", quote);
  if (number == std::string_view::npos) return true;
  const auto rest = line.substr(number + 7);
  const auto comma = rest.find(',');
  frame.line = parse_integer(rest.substr(0, comma)).value_or(0);
  if (const auto in = rest.find(", in "); in != std::string_view::npos) frame.label = rest.substr(in + 5);
  return true;
}

// php: #0 path(12): label
bool read_php(std::string_view line, StackFrame& frame) {
  if (line.empty() || line.front() != '#') return false;
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return false;
  line.remove_prefix(space + 1);
  const auto close = line.find("): ");
  const auto open = close == std::string_view::npos ? close : line.rfind('(', close);
  if (open == std::string_view::npos) {
    frame.label = line;
    return true;
  }
  frame.path = line.substr(0, open);
  frame.line = parse_integer(line.substr(open + 1, close - open - 1)).value_or(0);
  frame.label = line.substr(close + 3);
  return true;
}

}  // namespace

std::vector<StackFrame> parse_stack(std::string_view language, std::string_view text) {
  std::vector<StackFrame> frames;
  std::string_view label_above;  // go prints the function above its place
  while (!text.empty() && frames.size() < kFramesMax) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto raw = text.substr(0, end);
    const auto line = trim(raw);
    text.remove_prefix(std::min(end + 1, text.size()));
    StackFrame frame;
    bool found = false;
    if (language == "java") found = read_at(line, false, frame);
    else if (language == "nodejs" || language == "webjs") found = read_at(line, true, frame);
    else if (language == "dotnet") found = read_dotnet(line, frame);
    else if (language == "python") found = read_python(line, frame);
    else if (language == "php") found = read_php(line, frame);
    else if (language == "go") {
      if (!raw.empty() && raw.front() == '\t' && !label_above.empty()) {
        place(line.substr(0, line.find(' ')), false, frame);
        frame.label = label_above;
        found = true;
      }
      label_above = line;
    }
    if (found) frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace fog::otlp

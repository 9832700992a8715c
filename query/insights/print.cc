// Printer: a query back to text. Printing and parsing again gives the same tree; columns without an
// alias keep their names, because their expressions are written as they were typed.
#include "query/insights/command.h"
#include "query/insights/lex.h"

namespace fog::insights {

namespace {

int precedence(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kBinary:
      if (expr.text == "or") return 1;
      if (expr.text == "and") return 2;
      if (expr.text == "+" || expr.text == "-") return 5;
      if (expr.text == "*" || expr.text == "/" || expr.text == "%") return 6;
      if (expr.text == "^") return 8;
      return 4;
    case Expr::Kind::kNot: return 3;
    case Expr::Kind::kLike:
    case Expr::Kind::kIn:
    case Expr::Kind::kInQuery: return 4;
    case Expr::Kind::kNegate:
    case Expr::Kind::kPlus: return 7;
    case Expr::Kind::kNumber:
    case Expr::Kind::kString:
    case Expr::Kind::kPeriod:
    case Expr::Kind::kField:
    case Expr::Kind::kCall: return 9;
  }
  return 9;
}

void print_at(const Expr& expr, int least, std::string& out) {
  bool parens = precedence(expr) < least;
  if (parens) out += '(';
  print_expr(expr, out);
  if (parens) out += ')';
}

bool plain_segment(std::string_view text, bool first) {
  if (text.empty()) return false;
  for (std::size_t k = 0; k < text.size(); ++k) {
    char c = text[k];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@' ||
                  (static_cast<unsigned char>(c) & 0x80);
    bool digit = c >= '0' && c <= '9';
    if (!letter && !(digit && (k > 0 || !first))) return false;
  }
  return true;
}

// Words that an expression could take for an operator.
bool reserved(std::string_view text) {
  for (std::string_view word : {"and", "or", "not", "like", "in", "as", "by", "asc", "desc", "any", "true", "false",
                                "multi", "logfmt", "csv", "with", "for", "where", "offset", "now", "source", "maxspan",
                                "output", "outputnew", "into", "left", "right", "type", "max", "override", "p", "row",
                                "col", "fieldname", "action", "param", "uselower", "mark", "start", "end", "loggroups",
                                "datasource"})
    if (same_word(text, word)) return true;
  return false;
}

void print_segment(std::string_view text, bool first, bool alone, std::string& out) {
  if (plain_segment(text, first) && !(alone && reserved(text))) {
    out += text;
  } else {
    out += '`';
    out += text;
    out += '`';
  }
}

}  // namespace

void print_name(std::string_view name, std::string& out) { print_segment(name, true, true, out); }

void print_string(std::string_view text, std::string& out) {
  out += '"';
  for (char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '"': out += "\\\""; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default: out += c;
    }
  }
  out += '"';
}

void print_expr(const Expr& expr, std::string& out) {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
    case Expr::Kind::kPeriod: out += expr.text; return;
    case Expr::Kind::kString: print_string(expr.text, out); return;
    case Expr::Kind::kField:
      for (std::size_t k = 0; k < expr.path.size(); ++k) {
        if (expr.path[k].index) {
          out += '[' + expr.path[k].text + ']';
          continue;
        }
        if (k > 0) out += '.';
        print_segment(expr.path[k].text, k == 0, expr.path.size() == 1, out);
      }
      return;
    case Expr::Kind::kCall:
      out += expr.text;
      out += '(';
      if (expr.star) out += '*';
      for (std::size_t k = 0; k < expr.args.size(); ++k) {
        if (k > 0) out += ", ";
        print_expr(*expr.args[k], out);
      }
      out += ')';
      return;
    case Expr::Kind::kNegate:
    case Expr::Kind::kPlus:
      out += expr.kind == Expr::Kind::kNegate ? '-' : '+';
      print_at(*expr.args[0], 7, out);
      return;
    case Expr::Kind::kNot:
      out += "not ";
      print_at(*expr.args[0], 3, out);
      return;
    case Expr::Kind::kBinary: {
      int own = precedence(expr);
      bool right = expr.text == "^";
      print_at(*expr.args[0], right ? own + 1 : own, out);
      out += ' ' + expr.text + ' ';
      print_at(*expr.args[1], right ? 7 : own + 1, out);
      return;
    }
    case Expr::Kind::kLike:
      print_at(*expr.args[0], 4, out);
      out += expr.negated ? " not like " : " like ";
      if (expr.regex) {
        out += '/';
        for (std::size_t k = 0; k < expr.text.size(); ++k) {
          if (expr.text[k] == '\\' && k + 1 < expr.text.size()) {
            out += expr.text[k++];
          } else if (expr.text[k] == '/') {
            out += '\\';
          }
          out += expr.text[k];
        }
        out += '/';
      } else {
        print_at(*expr.args[1], 5, out);
      }
      return;
    case Expr::Kind::kIn:
      print_at(*expr.args[0], 4, out);
      out += expr.negated ? " not in [" : " in [";
      for (std::size_t k = 1; k < expr.args.size(); ++k) {
        if (k > 1) out += ", ";
        print_at(*expr.args[k], 5, out);
      }
      out += ']';
      return;
    case Expr::Kind::kInQuery:
      print_at(*expr.args[0], 4, out);
      out += expr.negated ? " not in (" : " in (";
      print_pipeline(expr.query->pipeline, out);
      out += ')';
      return;
  }
}

void print_projection(const Projection& projection, std::string& out) {
  if (projection.alias.empty()) {
    if (projection.expr->plain_field())
      print_expr(*projection.expr, out);
    else
      out += projection.name;
    return;
  }
  print_expr(*projection.expr, out);
  out += " as ";
  print_name(projection.alias, out);
}

namespace {

void print_source(const Source& source, std::string& out) {
  out += "SOURCE";
  for (const Source::Selector& selector : source.selectors) {
    auto list = [&out](const std::vector<std::string>& items) {
      out += '[';
      for (std::size_t k = 0; k < items.size(); ++k) {
        if (k > 0) out += ", ";
        print_string(items[k], out);
      }
      out += ']';
    };
    if (selector.kind == Source::Selector::Kind::kDataSource) {
      out += " dataSource(";
      list(selector.data_sources);
      out += ')';
      continue;
    }
    out += " logGroups(";
    bool first = true;
    auto argument = [&](std::string_view key, const std::vector<std::string>& items) {
      if (items.empty()) return;
      if (!first) out += ", ";
      first = false;
      out += key;
      out += ": ";
      list(items);
    };
    argument("namePrefix", selector.prefixes);
    argument("class", selector.classes);
    argument("accountIdentifiers", selector.accounts);
    argument("tags", selector.tags);
    out += ')';
  }
  for (std::size_t k = 0; k < source.groups.size(); ++k) {
    out += k > 0 ? ", " : " ";
    print_string(source.groups[k], out);
  }
  if (!source.start.empty()) out += " START=" + source.start + " END=" + source.end;
}

}  // namespace

void print_pipeline(const Pipeline& pipeline, std::string& out) {
  bool first = true;
  if (pipeline.source) {
    print_source(*pipeline.source, out);
    first = false;
  }
  for (const CommandPtr& command : pipeline.commands) {
    if (!first) out += " | ";
    first = false;
    command->print(out);
  }
}

}  // namespace fog::insights

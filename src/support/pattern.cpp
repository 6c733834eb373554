#include "support/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace edgec {

Result<Pattern> Pattern::parse(std::string_view text) {
  RE2::Options options;
  options.set_log_errors(false);
  auto expression = std::make_shared<const RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (!expression->ok())
    return usage_error(fmt::format("'{}' is not a regular expression: {}", text, expression->error()));
  Pattern pattern;
  pattern.expression_ = std::move(expression);
  return pattern;
}

std::string Pattern::quoted(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (std::string_view(".+*?()|[]{}^$\\").find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text;
}

bool Pattern::matches(std::string_view text) const {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *expression_);
}

} // namespace edgec

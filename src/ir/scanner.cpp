#include "ir/scanner.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace edgec {
namespace {

// Plain ASCII, whatever the locale.
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_word(char c) { return starts_word(c) || is_digit(c); }

template <class T>
Result<T> read_real(Scanner &scanner) {
  EDGEC_ASSIGN(std::string_view text, scanner.number());
  const bool negative = text.front() == '-';
  if (text.front() == '-' || text.front() == '+') text.remove_prefix(1);
  T value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc::result_out_of_range) {
    // from_chars does not tell too large from too small; the double can, for a float.
    double wide = 0;
    std::from_chars(text.data(), text.data() + text.size(), wide);
    if (std::abs(wide) > 1) return scanner.error(fmt::format("{} is too large", text));
    value = static_cast<T>(wide);
  } else if (code != std::errc() || end != text.data() + text.size()) {
    return scanner.error(fmt::format("`{}` is not a number", text));
  }
  return negative ? -value : value;
}

} // namespace

char Scanner::peek() {
  while (position_ < text_.size()) {
    if (text_[position_] == '#')
      position_ = std::min(text_.find('\n', position_), text_.size());
    else if (is_space(text_[position_]))
      ++position_;
    else
      return text_[position_];
  }
  return '\0';
}

bool Scanner::at(std::string_view token) { return peek() != '\0' && text_.substr(position_).starts_with(token); }

bool Scanner::accept(std::string_view token) {
  if (!at(token)) return false;
  position_ += token.size();
  return true;
}

Status Scanner::expect(std::string_view token) {
  if (accept(token)) return {};
  return expected(fmt::format("`{}`", token));
}

std::string_view Scanner::peek_identifier() {
  if (!starts_word(peek())) return {};
  const auto end = std::find_if_not(text_.begin() + static_cast<std::ptrdiff_t>(position_), text_.end(), in_word);
  return text_.substr(position_, static_cast<std::size_t>(end - text_.begin()) - position_);
}

std::string_view Scanner::identifier() {
  const std::string_view found = peek_identifier();
  position_ += found.size();
  return found;
}

Result<std::string> Scanner::name(std::string_view what) {
  if (peek() == '"') return quoted();
  const std::string_view found = identifier();
  if (found.empty()) return expected(what);
  return std::string(found);
}

Result<std::string> Scanner::quoted() {
  if (peek() != '"') return expected("a quoted string");
  std::string value;
  for (std::size_t i = position_ + 1; i < text_.size(); ++i) {
    if (text_[i] == '"') {
      position_ = i + 1;
      return value;
    }
    if (text_[i] == '\\' && i + 1 < text_.size()) ++i;
    value += text_[i];
  }
  return error("a quoted string does not end");
}

Result<std::string_view> Scanner::number() {
  (void)peek();
  std::size_t end = position_;
  const auto at = [&](std::size_t i) { return i < text_.size() ? text_[i] : '\0'; };
  if (at(end) == '-' || at(end) == '+') ++end;
  const auto after_exponent = [&] {
    return (at(end - 1) == 'e' || at(end - 1) == 'E') && (at(end) == '-' || at(end) == '+');
  };
  const std::size_t first = end;
  while (in_word(at(end)) || at(end) == '.' || (end > first && after_exponent())) ++end;
  const std::string_view found = text_.substr(position_, end - position_);
  const std::string_view magnitude = text_.substr(first, end - first);
  const bool plain = is_digit(at(first)) || at(first) == '.';
  if (!plain && magnitude != "inf" && magnitude != "infinity" && magnitude != "nan") return expected("a number");
  position_ = end;
  return found;
}

Result<std::int64_t> Scanner::integer() {
  EDGEC_ASSIGN(std::string_view text, number());
  const std::string_view digits = text.front() == '+' ? text.substr(1) : text;
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code == std::errc::result_out_of_range) return error(fmt::format("{} does not fit 64 bits", text));
  if (code != std::errc() || end != digits.data() + digits.size())
    return error(fmt::format("expected an integer, found `{}`", text));
  return value;
}

Result<double> Scanner::real() { return read_real<double>(*this); }
Result<float> Scanner::real32() { return read_real<float>(*this); }

Error Scanner::error(std::string_view message) const {
  const std::string_view before = text_.substr(0, position_);
  const auto line = std::ranges::count(before, '\n') + 1;
  const auto start = before.rfind('\n');
  const std::size_t column = position_ - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return bad_input(fmt::format("line {}, column {}: {}", line, column, message));
}

Error Scanner::expected(std::string_view what) {
  if (at_end()) return error(fmt::format("expected {}, found the end of the text", what));
  const std::string_view word = peek_identifier();
  return error(
      fmt::format("expected {}, found `{}`", what, word.empty() ? text_.substr(position_, 1) : word.substr(0, 40)));
}

bool is_real_literal(std::string_view number) { return number.find_first_of(".eEnN") != std::string_view::npos; }

} // namespace edgec

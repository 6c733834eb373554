// Walks over text and says where it stands: what the parser of the textual syntax reads from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/result.h"

namespace edgec {

/// Skips white space and comments (`#` to the end of the line) before everything it reads. Errors (Code::bad_input)
/// begin with line and column, both from 1.
class Scanner {
public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() { return peek() == '\0'; }
  /// The next character that counts; 0 at the end.
  [[nodiscard]] char peek();
  /// True where `token` stands.
  [[nodiscard]] bool at(std::string_view token);
  /// Goes past `token` if it stands here.
  bool accept(std::string_view token);
  /// Goes past `token` or says that it is missing.
  Status expect(std::string_view token);
  /// [A-Za-z_][A-Za-z0-9_]*, or empty.
  std::string_view identifier();
  [[nodiscard]] std::string_view peek_identifier();
  /// An identifier or a quoted string; `what` is for the message.
  Result<std::string> name(std::string_view what);
  /// "..." with \" and \\ inside.
  Result<std::string> quoted();
  /// A number as written: digits, sign, point, exponent, or inf and nan with a sign.
  Result<std::string_view> number();
  Result<std::int64_t> integer();
  Result<double> real();
  Result<float> real32();

  /// "line 3, column 7: message".
  [[nodiscard]] Error error(std::string_view message) const;
  /// "expected `what`, found `x`".
  [[nodiscard]] Error expected(std::string_view what);

private:
  std::string_view text_;
  std::size_t position_ = 0;
};

/// True for a number as written that stands for a real rather than an integer.
bool is_real_literal(std::string_view number);

} // namespace edgec

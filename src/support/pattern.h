// Regular expressions that people give, over names that come from files: matching takes time linear in the name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "support/result.h"

namespace re2 {
class RE2;
}

namespace edgec {

/// An expression in RE2's syntax, which is Perl's without backreferences and lookaround.
class Pattern {
public:
  /// Error (usage): what is wrong with it.
  static Result<Pattern> parse(std::string_view text);
  /// The text of an expression that fits this name alone.
  static std::string quoted(std::string_view name);
  /// Whether it fits the whole text.
  [[nodiscard]] bool matches(std::string_view text) const;

private:
  std::shared_ptr<const re2::RE2> expression_;
};

} // namespace edgec

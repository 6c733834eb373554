// Writes HTML, SVG and XML so that no text can become markup.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace edgec {

/// For text and for attributes in double quotes: & < > " ' become references; control characters and what is not UTF-8
/// become U+FFFD.
std::string escaped(std::string_view text);

/// The first `most` characters of a name, with "..." where it is cut; never within a character of UTF-8.
std::string shortened(std::string_view name, std::size_t most);

class Markup {
public:
  struct Attribute {
    std::string_view name;
    std::string value;
  };
  using Attributes = std::initializer_list<Attribute>;

  /// An element; what follows lies in it until close().
  Markup &open(std::string_view tag, Attributes attributes = {});
  Markup &close();
  Markup &text(std::string_view text);
  /// An element with nothing but text.
  Markup &leaf(std::string_view tag, std::string_view text, Attributes attributes = {});
  /// An element that has no end tag ("/>" in SVG and XML is right in HTML, too).
  Markup &empty(std::string_view tag, Attributes attributes = {});
  /// What another one wrote.
  Markup &add(const Markup &more);

  [[nodiscard]] bool is_empty() const { return text_.empty(); }
  /// All elements are closed.
  [[nodiscard]] const std::string &str() const { return text_; }

private:
  std::string text_;
  std::vector<std::string> open_;

  void begin(std::string_view tag, Attributes attributes);
};

} // namespace edgec

#include "report/html/markup.h"

#include <cassert>
#include <cstdint>

namespace edgec {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

/// Bytes of the character of UTF-8 that begins there (RFC 3629, overlong forms and surrogates refused); 0: none does.
std::size_t character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (size == 0 || first > 0xF4 || at + size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  const std::uint8_t second = byte(at + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool beyond = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || beyond ? 0 : size;
}

} // namespace

std::string escaped(std::string_view text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character(text, at);
    const char c = text[at];
    const bool control = (static_cast<std::uint8_t>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    if (size == 0 || control)
      safe += replacement;
    else if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else if (c == '\'')
      safe += "&#39;";
    else
      safe += text.substr(at, size);
    at += size == 0 ? 1 : size;
  }
  return safe;
}

std::string shortened(std::string_view name, std::size_t most) {
  std::size_t at = 0, count = 0, cut = 0;
  while (at < name.size()) {
    const std::size_t size = character(name, at);
    at += size == 0 ? 1 : size;
    if (++count + 1 == most) cut = at;
  }
  return count <= most ? std::string(name) : std::string(name.substr(0, cut)) + "\xE2\x80\xA6";
}

void Markup::begin(std::string_view tag, Attributes attributes) {
  text_ += '<';
  text_ += tag;
  for (const Attribute &attribute : attributes) {
    text_ += ' ';
    text_ += attribute.name;
    text_ += "=\"" + escaped(attribute.value) + '"';
  }
}

Markup &Markup::open(std::string_view tag, Attributes attributes) {
  begin(tag, attributes);
  text_ += '>';
  open_.emplace_back(tag);
  return *this;
}

Markup &Markup::close() {
  assert(!open_.empty());
  text_ += "</" + open_.back() + ">";
  open_.pop_back();
  return *this;
}

Markup &Markup::text(std::string_view text) {
  text_ += escaped(text);
  return *this;
}

Markup &Markup::leaf(std::string_view tag, std::string_view text, Attributes attributes) {
  return open(tag, attributes).text(text).close();
}

Markup &Markup::empty(std::string_view tag, Attributes attributes) {
  begin(tag, attributes);
  text_ += "/>";
  return *this;
}

Markup &Markup::add(const Markup &more) {
  assert(more.open_.empty());
  text_ += more.text_;
  return *this;
}

} // namespace edgec

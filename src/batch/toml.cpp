#include "batch/toml.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>
#include <toml++/toml.h>

#include "support/file.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const toml::node &node);

/// The library sorts keys; what people wrote first comes first.
Json json_of(const toml::table &table) {
  std::vector<std::pair<std::string, const toml::node *>> entries;
  for (const auto &[key, value] : table) entries.emplace_back(key.str(), &value);
  std::ranges::stable_sort(entries, [](const auto &a, const auto &b) {
    const auto &at = a.second->source().begin, &other = b.second->source().begin;
    return at.line != other.line ? at.line < other.line : at.column < other.column;
  });
  Json object = Json::object();
  for (const auto &[key, value] : entries) object[key] = json_of(*value);
  return object;
}

Json json_of(const toml::node &node) {
  if (const auto *table = node.as_table()) return json_of(*table);
  if (const auto *text = node.as_string()) return text->get();
  if (const auto *flag = node.as_boolean()) return flag->get();
  if (const auto *whole = node.as_integer()) return whole->get();
  if (const auto *real = node.as_floating_point()) return real->get();
  if (const auto *list = node.as_array()) {
    Json array = Json::array();
    for (const toml::node &entry : *list) array.push_back(json_of(entry));
    return array;
  }
  std::ostringstream text; // a date or a time
  node.visit([&](const auto &value) { text << value; });
  return text.str();
}

} // namespace

Result<Json> parse_toml(std::string_view text, const std::string &name) {
  try {
    return json_of(toml::parse(text, name));
  } catch (const toml::parse_error &error) {
    return bad_input(fmt::format("{}: line {}: is not TOML: {}", name, error.source().begin.line, error.description()));
  }
}

Result<Json> read_toml(const std::string &path) {
  EDGEC_ASSIGN(const Storage file, read_file(path));
  return parse_toml({reinterpret_cast<const char *>(file.data()), file.size()}, path);
}

} // namespace edgec

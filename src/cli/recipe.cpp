#include "cli/recipe.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>
#include <toml++/toml.h>

#include "support/file.h"
#include "support/nearest.h"

namespace edgec {
namespace {

/// What a recipe cannot say: which recipe, and what must be asked for each time.
bool left_out(const Option &option) {
  static const std::vector<std::string> keys{"recipe", "save-recipe", "force", "help"};
  return option.is_argument() || std::ranges::find(keys, option.key()) != keys.end();
}

/// A value as a user would have typed it.
Result<std::string> typed(const toml::node &node, const std::string &key) {
  if (const auto *text = node.as_string()) return text->get();
  if (const auto *flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  if (const auto *whole = node.as_integer()) return fmt::to_string(whole->get());
  if (const auto *real = node.as_floating_point()) return fmt::to_string(real->get());
  return usage_error(fmt::format("{}: is a table or a date; a text, number, true, false or a list was expected", key));
}

Result<std::vector<std::string>> typed_all(const toml::node &node, const std::string &key) {
  std::vector<std::string> texts;
  const auto *list = node.as_array();
  if (list == nullptr) {
    EDGEC_ASSIGN(texts.emplace_back(), typed(node, key));
    return texts;
  }
  for (const toml::node &entry : *list) {
    EDGEC_ASSIGN(texts.emplace_back(), typed(entry, key));
  }
  return texts;
}

std::vector<std::string> keys_of(Options &options) {
  std::vector<std::string> keys;
  for (const Option &option : options.all()) {
    if (!left_out(option)) keys.push_back(option.key());
  }
  return keys;
}

Status apply(const toml::table &table, Options &options) {
  for (const auto &[toml_key, node] : table) {
    const std::string key(toml_key.str());
    Option *option = options.find(key);
    if (option == nullptr || left_out(*option))
      return usage_error(fmt::format("'{}' is not a flag of 'edgec {}'{}", key, options.command(),
                                     did_you_mean(key, keys_of(options))));
    if (option->given) continue; // a flag beats the recipe
    EDGEC_ASSIGN(auto texts, typed_all(node, key));
    EDGEC_CHECK(option->assign(std::move(texts)));
  }
  return {};
}

struct TomlNode {
  const Option &option;
  toml::table &table;
  template <class T>
  void insert(T value) const {
    table.insert(option.key(), std::move(value));
  }

  void operator()(const bool *value) const { insert(*value); }
  void operator()(const int *value) const { insert(static_cast<std::int64_t>(*value)); }
  void operator()(const std::int64_t *value) const { insert(*value); }
  void operator()(const std::uint64_t *value) const { // TOML's integers have a sign
    if (*value <= INT64_MAX)
      insert(static_cast<std::int64_t>(*value));
    else
      insert(std::to_string(*value));
  }
  void operator()(const double *value) const { insert(*value); }
  void operator()(const std::string *value) const { insert(*value); }
  void operator()(const std::optional<double> *value) const { insert(value->value_or(0)); }
  void operator()(const std::optional<std::int64_t> *value) const { insert(value->value_or(0)); }
  void operator()(const std::vector<std::string> *values) const {
    toml::array list;
    for (const std::string &value : *values) list.push_back(value);
    insert(std::move(list));
  }
};

} // namespace

Status apply_recipe(const std::string &path, Options &options) {
  EDGEC_ASSIGN(const Storage file, read_file(path));
  return apply_recipe_text({reinterpret_cast<const char *>(file.data()), file.size()}, path, options);
}

Status apply_recipe_text(std::string_view text, const std::string &name, Options &options) {
  toml::table table;
  try {
    table = toml::parse(text, name);
  } catch (const toml::parse_error &error) {
    return bad_input(fmt::format("{}: line {}: is not TOML: {}", name, error.source().begin.line, error.description()));
  }
  return apply(table, options).in(name);
}

std::string recipe_text(Options &options) {
  std::ostringstream text;
  text << "# edgec " << options.command() << " --recipe: the flags by their long names; a flag given beside it wins.\n";
  for (const Option &option : options.all()) { // one table each: the order stays that of --help
    // A recipe serves several networks: where the result of one went is not a part of it, though a recipe may say so.
    if (!option.given || left_out(option) || option.key() == "output") continue;
    toml::table table;
    std::visit(TomlNode{option, table}, option.target);
    // Literal strings and those over several lines lose line breaks.
    constexpr auto lossy = toml::format_flags::allow_multi_line_strings | toml::format_flags::allow_literal_strings;
    constexpr auto flags = toml::toml_formatter::default_flags & ~lossy;
    text << toml::toml_formatter(table, flags) << '\n';
  }
  return text.str();
}

} // namespace edgec

#include "cli/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/nearest.h"

namespace edgec {
namespace {

template <class T>
std::optional<T> number(const std::string &text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

std::vector<std::string> split_at(const std::vector<std::string> &texts, char separator) {
  std::vector<std::string> parts;
  for (const std::string &text : texts) {
    std::size_t begin = 0;
    for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
      end = text.find(separator, begin);
      if (const std::string part = text.substr(begin, end == std::string::npos ? end : end - begin); !part.empty())
        parts.push_back(part);
    }
  }
  return parts;
}

/// The text a user would type for a value: what help shows as default. Nothing where the default is "not set".
struct DefaultText {
  std::string operator()(const bool *) const { return {}; }
  std::string operator()(const std::string *value) const { return *value; }
  std::string operator()(const std::vector<std::string> *) const { return {}; }
  std::string operator()(const std::uint64_t *value) const { return fmt::to_string(*value); }
  template <class T>
  std::string operator()(const std::optional<T> *value) const {
    return *value ? fmt::to_string(**value) : std::string();
  }
  template <class T>
  std::string operator()(const T *value) const {
    return *value == T{} ? std::string() : fmt::to_string(*value);
  }
};

/// Breaks text into lines of at most `width` characters at spaces.
std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (text.size() > width) {
    std::size_t cut = text.rfind(' ', width);
    if (cut == std::string_view::npos) cut = width;
    lines.emplace_back(text.substr(0, cut));
    text.remove_prefix(std::min(text.size(), cut + 1));
  }
  lines.emplace_back(text);
  return lines;
}

constexpr std::size_t help_column = 28, help_width = 110;

std::string help_entry(const std::string &left, const std::string &text) {
  const bool fits = left.size() + 4 <= help_column;
  std::string result =
      fits ? fmt::format("  {:<{}}", left, help_column - 2) : fmt::format("  {}\n{:{}}", left, "", help_column);
  const auto lines = wrap(text, help_width - help_column);
  for (std::size_t i = 0; i < lines.size(); ++i)
    result += fmt::format("{:{}}{}\n", "", i == 0 ? 0 : help_column, lines[i]);
  return result;
}

std::string help_of(const Option &option) {
  std::string left = option.names;
  if (const auto comma = left.find(','); comma != std::string::npos) left.replace(comma, 1, ", ");
  if (!option.value.empty())
    left += " " + (option.choices.empty() ? option.value : fmt::format("{}", fmt::join(option.choices, "|")));
  std::string text = option.help;
  const std::string value = std::visit(DefaultText{}, option.target);
  if (!value.empty() && !option.is_switch() && !option.is_argument()) text += fmt::format(" (default {})", value);
  return help_entry(left, text);
}

} // namespace

Option &Option::one_of(std::vector<std::string> values) {
  choices = std::move(values);
  return *this;
}

Option &Option::between(double low, double high) {
  limits = {low, high};
  return *this;
}

Option &Option::split(char at) {
  separator = at;
  return *this;
}

std::string Option::shown() const {
  const auto comma = names.find(',');
  return comma == std::string::npos ? names : names.substr(comma + 1);
}

std::string Option::key() const {
  const std::string name = shown();
  return name.substr(std::min(name.size(), name.find_first_not_of('-')));
}

namespace {

struct Assign {
  const Option &option;
  const std::vector<std::string> &texts;

  [[nodiscard]] const std::string &last() const { return texts.back(); }
  template <class T>
  Result<T> parse() const {
    const auto value = number<T>(last());
    if (!value) {
      const char *kind = std::is_floating_point_v<T> ? "a number" : "a whole number";
      return usage_error(fmt::format("{}: '{}' is not {}", option.shown(), last(), kind));
    }
    const auto real = static_cast<double>(*value);
    if (option.limits && (real < option.limits->first || real > option.limits->second))
      return usage_error(fmt::format("{}: {} is not between {} and {}", option.shown(), last(), option.limits->first,
                                     option.limits->second));
    return *value;
  }
  template <class T>
  Status operator()(T *target) const {
    EDGEC_ASSIGN(*target, parse<T>());
    return {};
  }
  template <class T>
  Status operator()(std::optional<T> *target) const {
    EDGEC_ASSIGN(*target, parse<T>());
    return {};
  }
  Status operator()(bool *target) const {
    if (last() != "true" && last() != "false")
      return usage_error(fmt::format("{}: '{}' is neither true nor false", option.shown(), last()));
    *target = last() == "true";
    return {};
  }
  Status operator()(std::string *target) const {
    *target = last();
    return {};
  }
  Status operator()(std::vector<std::string> *target) const {
    *target = option.separator == 0 ? texts : split_at(texts, option.separator);
    if (target->empty()) return usage_error(fmt::format("{}: the list is empty", option.shown()));
    return {};
  }
};

} // namespace

Status Option::assign(std::vector<std::string> values) {
  if (values.empty()) return usage_error(fmt::format("{}: a value is missing", shown()));
  if (values.size() > 1 && !is_list()) return usage_error(fmt::format("{}: is given more than once", shown()));
  for (const std::string &text : values) {
    if (!choices.empty() && std::ranges::find(choices, text) == choices.end())
      return usage_error(fmt::format("{}: '{}' is not one of {}{}", shown(), text, fmt::join(choices, ", "),
                                     did_you_mean(text, choices)));
  }
  EDGEC_CHECK(std::visit(Assign{*this, values}, target));
  texts = std::move(values);
  given = true;
  return {};
}

Options::Options(std::string command, std::string summary, std::string examples)
    : command_(std::move(command)), summary_(std::move(summary)), examples_(std::move(examples)) {}

Option &Options::argument(std::string name, OptionTarget target, std::string help, bool required) {
  Option &option = options_.emplace_back();
  option.names = std::move(name);
  option.target = target;
  option.help = std::move(help);
  option.required = required;
  return option;
}

Option &Options::add(std::string names, std::string value, OptionTarget target, std::string help) {
  Option &option = options_.emplace_back();
  option.names = std::move(names);
  option.value = std::move(value);
  option.target = target;
  option.help = std::move(help);
  option.group = group_;
  return option;
}

Option &Options::flag(std::string names, bool *target, std::string help) {
  return add(std::move(names), {}, target, std::move(help));
}

bool Options::given(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &Option::shown);
  return found != options_.end() && found->given;
}

Option *Options::find(std::string_view key) {
  const auto fits = [&](const Option &option) { return !option.is_argument() && option.key() == key; };
  const auto found = std::ranges::find_if(options_, fits);
  return found == options_.end() ? nullptr : &*found;
}

std::string Options::help() const {
  std::string text = fmt::format("usage: edgec {}", command_);
  for (const Option &option : options_) {
    if (option.is_argument()) text += option.required ? " " + option.names : fmt::format(" [{}]", option.names);
  }
  text += fmt::format(" [flags]\n\n");
  for (const std::string &line : wrap(summary_, help_width)) text += line + "\n";
  std::string arguments;
  for (const Option &option : options_) {
    if (option.is_argument()) arguments += help_of(option);
  }
  if (!arguments.empty()) text += "\n" + arguments;
  std::vector<std::string> groups;
  for (const Option &option : options_) {
    if (!option.is_argument() && std::ranges::find(groups, option.group) == groups.end())
      groups.push_back(option.group);
  }
  for (const std::string &title : groups) {
    text += fmt::format("\n{}:\n", title);
    for (const Option &option : options_) {
      if (!option.is_argument() && option.group == title) text += help_of(option);
    }
  }
  if (!examples_.empty()) text += fmt::format("\nExamples:\n{}", examples_);
  return text;
}

} // namespace edgec

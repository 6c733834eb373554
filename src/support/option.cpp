#include "support/option.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "support/nearest.h"
#include "support/number.h"
#include "support/option_text.h"
#include "support/table.h"
#include "support/text.h"

namespace edgec {
namespace {

/// Bytes in a unit as typed after a number.
std::optional<double> bytes_in(std::string unit) {
  unit = lower(trim(unit));
  if (unit.ends_with('b')) unit.pop_back();
  const double base = unit.ends_with('i') ? 1024 : 1000;
  if (base == 1024) unit.pop_back();
  if (unit.empty()) return base == 1000 ? std::optional(1.0) : std::nullopt;
  const std::size_t power = std::string_view("kmgt").find(unit);
  return unit.size() == 1 && power != std::string_view::npos ? std::optional(std::pow(base, power + 1)) : std::nullopt;
}

/// What a unit as typed after a number makes of it; nothing: there is no such unit.
std::optional<double> scale_of(const std::string &typed, Unit unit) {
  const std::string text = lower(trim(typed));
  switch (unit) {
  case Unit::bytes: return bytes_in(text);
  case Unit::fraction: return text == "%" ? std::optional(0.01) : std::nullopt;
  case Unit::points: return text == "%" ? std::optional(1.0) : std::nullopt;
  case Unit::milliseconds:
    return text == "ms"   ? std::optional(1.0)
           : text == "us" ? std::optional(1e-3)
           : text == "s"  ? std::optional(1e3)
                          : std::nullopt;
  case Unit::none: break;
  }
  return std::nullopt;
}

template <class T>
std::optional<T> finite_number(std::string_view text) {
  const auto value = parse_number<T>(text);
  return value && std::isfinite(static_cast<double>(*value)) ? value : std::nullopt;
}

/// A number with its unit.
template <class T>
std::optional<T> quantity(std::string_view text, Unit unit) {
  if (unit == Unit::none) return finite_number<T>(text);
  text = trim(text);
  if (const auto plain = finite_number<T>(text)) return plain;
  const std::size_t end = text.find_last_of("0123456789.") + 1; // 0: there is none
  const auto value = finite_number<double>(text.substr(0, end));
  if (!value) return std::nullopt;
  const auto scale = scale_of(std::string(text.substr(end)), unit);
  if (!scale) return std::nullopt;
  if (unit == Unit::fraction) return static_cast<T>(*value / 100); // 0.07 exactly as typed
  if (unit != Unit::bytes) return static_cast<T>(*value * *scale);
  constexpr double most = 9e18; // fits any T
  if (!(std::abs(*value * *scale) <= most) || (*scale == 1 && std::floor(*value) != *value)) return std::nullopt;
  return static_cast<T>(std::round(*value * *scale));
}

/// What a value should have been.
template <class T>
const char *kind_of(Unit unit) {
  switch (unit) {
  case Unit::bytes:
    return "a size: bytes, or a number with KB, MB, GB (1000) or KiB, MiB, GiB (1024), as 40KB or 1.2MiB";
  case Unit::fraction: return "a fraction, as 0.5 or 50%";
  case Unit::points: return "a number of points, as 1 or 1%";
  case Unit::milliseconds: return "a time, as 2.5ms or 800us";
  case Unit::none: break;
  }
  return std::is_floating_point_v<T> ? "a number" : "a whole number";
}

/// How a value may be written, for help.
const char *forms_of(Unit unit) {
  switch (unit) {
  case Unit::bytes: return " (bytes, or as 40KB or 1.2MiB)";
  case Unit::fraction: return " (as 0.5 or 50%)";
  case Unit::points: return " (as 1 or 1%)";
  case Unit::milliseconds: return " (ms, or as 800us)";
  case Unit::none: break;
  }
  return "";
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

constexpr std::size_t help_column = 28, most_help_width = 110;

std::string help_entry(const std::string &left, const std::string &text, std::size_t width) {
  const std::size_t column = std::min(help_column, width / 3);
  std::string result = "  ";
  for (const std::string &line : wrap(left, width - 6)) result += (result.size() > 2 ? "\n      " : "") + line;
  if (left.size() + 4 <= column)
    result.resize(column, ' ');
  else
    result += "\n" + std::string(column, ' ');
  const auto lines = wrap(text, width - column);
  for (const std::string &line : lines)
    result += (&line == &lines.front() ? "" : std::string(column, ' ')) + line + "\n";
  return result;
}

std::string help_of(const Option &option, std::size_t width) {
  return help_entry(option_heading(option), option_help(option), width);
}

} // namespace

std::string option_heading(const Option &option) {
  std::string left = option.names;
  if (const auto comma = left.find(','); comma != std::string::npos) left.replace(comma, 1, ", ");
  if (option.value.empty()) return left;
  const std::string values = option.choices.empty() ? option.value : fmt::format("{}", fmt::join(option.choices, "|"));
  return left + (option.implied.empty() ? " " + values : fmt::format(" [{}]", values));
}

std::string option_help(const Option &option) {
  std::string text = option.help + forms_of(option.unit);
  std::string value = std::visit(DefaultText{}, option.target);
  if (const auto bytes = parse_number<std::uint64_t>(value); bytes && option.unit == Unit::bytes)
    value = bytes_text(*bytes);
  if (!value.empty() && !option.is_switch() && !option.is_argument()) text += fmt::format(" (default {})", value);
  return text;
}

std::vector<std::string> option_groups(const std::deque<Option> &options) {
  std::vector<std::string> groups;
  for (const Option &option : options) {
    if (!option.is_argument() && std::ranges::find(groups, option.group) == groups.end())
      groups.push_back(option.group);
  }
  return groups;
}

std::optional<double> parse_fraction(std::string_view text) { return quantity<double>(text, Unit::fraction); }

Option &Option::one_of(std::vector<std::string> values) {
  choices = std::move(values);
  return *this;
}

Option &Option::implies(std::string choice) {
  implied = std::move(choice);
  return *this;
}

Option &Option::between(double low, double high) {
  limits = {low, high};
  return *this;
}

Option &Option::in(Unit counted) {
  unit = counted;
  return *this;
}

Option &Option::split(char at) {
  separator = at;
  return *this;
}

Option &Option::needs(std::string_view condition) {
  const std::string term(condition);
  const std::size_t equals = term.find('=');
  const bool inverted = equals != std::string::npos && term[equals - 1] == '!';
  std::string text;
  if (term == "lossy")
    text = "without a flag that compresses, such as --int8";
  else if (equals != std::string::npos)
    text = fmt::format("{} --{} {}", inverted ? "with" : "without", term.substr(0, equals - (inverted ? 1 : 0)),
                       term.substr(equals + 1));
  else {
    const auto keys = split_at({term}, '|');
    for (std::size_t i = 0; i < keys.size(); ++i)
      text += (i == 0 ? "without --" : i + 1 == keys.size() ? " or --" : ", --") + keys[i];
  }
  needed.push_back({[term](const Options &options) { return options.holds(term); }, std::move(text)});
  return *this;
}

Option &Option::needs(std::string missing, std::function<bool()> holds) {
  needed.push_back({[holds = std::move(holds)](const Options &) { return holds(); }, std::move(missing)});
  return *this;
}

Option &Option::is_common() {
  common = true;
  return *this;
}

Option &Option::loses() {
  lossy = true;
  return *this;
}

Option &Option::records(std::function<std::string()> text) {
  recorded = Recorded::always;
  record = std::move(text);
  return *this;
}

Option &Option::records_changes() {
  recorded = Recorded::changes;
  return *this;
}

Option &Option::finally(std::function<Status()> check) {
  then = std::move(check);
  return *this;
}

std::string Option::value_text() const {
  if (is_switch()) return std::get<bool *>(target) != nullptr && *std::get<bool *>(target) ? "true" : "";
  return std::visit(DefaultText{}, target);
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
    const auto value = quantity<T>(last(), option.unit);
    if (!value) return usage_error(fmt::format("{}: '{}' is not {}", option.shown(), last(), kind_of<T>(option.unit)));
    const auto real = static_cast<double>(*value);
    if (option.limits && (real < option.limits->first || real > option.limits->second))
      return usage_error(fmt::format("{}: {} is not between {} and {}{}", option.shown(), last(), option.limits->first,
                                     option.limits->second,
                                     option.unit == Unit::fraction ? forms_of(option.unit) : ""));
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
  if (!implied.empty() && values == std::vector<std::string>{"false"}) return {};
  if (!implied.empty() && values == std::vector<std::string>{"true"}) values = {implied};
  if (values.size() > 1 && !is_list()) return usage_error(fmt::format("{}: is given more than once", shown()));
  for (const std::string &text : values) {
    if (!choices.empty() && std::ranges::find(choices, text) == choices.end())
      return usage_error(fmt::format("{}: '{}' is not one of {}{}", shown(), text, fmt::join(choices, ", "),
                                     did_you_mean(text, choices)));
  }
  EDGEC_CHECK(std::visit(Assign{*this, values}, target));
  texts = std::move(values);
  given = true;
  return then ? then() : Status();
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
  option.fallback = option.value_text();
  return option;
}

Option &Options::flag(std::string names, bool *target, std::string help) {
  return add(std::move(names), {}, target, std::move(help));
}

bool Options::given(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &Option::shown);
  return found != options_.end() && found->given;
}

const Option *Options::find(std::string_view key) const {
  const auto fits = [&](const Option &option) { return !option.is_argument() && option.key() == key; };
  const auto found = std::ranges::find_if(options_, fits);
  return found == options_.end() ? nullptr : &*found;
}

Option *Options::find(std::string_view key) { return const_cast<Option *>(std::as_const(*this).find(key)); }

bool Options::holds(std::string_view condition) const {
  const auto is_set = [](const Option &option) {
    return option.given && !(option.is_switch() && option.value_text().empty());
  };
  if (condition == "lossy")
    return std::ranges::any_of(options_, [&](const Option &option) { return option.lossy && is_set(option); });
  if (const auto equals = condition.find('='); equals != std::string_view::npos) {
    const bool inverted = condition[equals - 1] == '!';
    const Option *option = find(condition.substr(0, equals - (inverted ? 1 : 0)));
    return (option != nullptr && option->value_text() == condition.substr(equals + 1)) != inverted;
  }
  return std::ranges::any_of(split_at({std::string(condition)}, '|'), [&](const std::string &key) {
    const Option *option = find(key);
    return option != nullptr && is_set(*option);
  });
}

std::vector<std::string> Options::idle() const {
  std::vector<std::string> sentences;
  for (const Option &option : options_) {
    if (!option.given) continue;
    const auto missing =
        std::ranges::find_if(option.needed, [&](const OptionNeed &need) { return !need.holds(*this); });
    if (missing != option.needed.end())
      sentences.push_back(fmt::format("{} has no effect {}", option.shown(), missing->missing));
  }
  return sentences;
}

std::vector<std::pair<std::string, std::string>> Options::effective() const {
  std::vector<std::pair<std::string, std::string>> found;
  for (const Option &option : options_) {
    const auto holds = [&](const OptionNeed &need) { return need.holds(*this); };
    if (option.recorded == Recorded::never || !std::ranges::all_of(option.needed, holds)) continue;
    if (const auto *const *list = std::get_if<std::vector<std::string> *>(&option.target);
        list != nullptr && !option.record) {
      for (const std::string &text : **list) found.emplace_back(option.key(), text);
      continue;
    }
    const std::string text = option.record ? option.record() : option.value_text();
    if (!text.empty() && (option.recorded == Recorded::always || text != option.fallback))
      found.emplace_back(option.key(), text);
  }
  return found;
}

bool Options::is_long() const {
  constexpr std::size_t most = 40;
  return options_.size() > most && std::ranges::any_of(options_, &Option::common);
}

std::string Options::help(std::size_t width, bool all) const {
  all = all || !is_long();
  width = std::min(width, most_help_width);
  std::string text = fmt::format("usage: edgec {}", command_);
  for (const Option &option : options_) {
    if (option.is_argument()) text += option.required ? " " + option.names : fmt::format(" [{}]", option.names);
  }
  text += fmt::format(" [flags]\n\n");
  for (const std::string &line : wrap(summary_, width)) text += line + "\n";
  std::string arguments;
  for (const Option &option : options_) {
    if (option.is_argument()) arguments += help_of(option, width);
  }
  if (!arguments.empty()) text += "\n" + arguments;
  for (const std::string &title : option_groups(options_)) {
    std::string flags;
    for (const Option &option : options_)
      if (!option.is_argument() && option.group == title && (all || option.common)) flags += help_of(option, width);
    if (!flags.empty()) text += fmt::format("\n{}:\n{}", title, flags);
  }
  const auto hidden = std::ranges::count_if(options_, [&](const Option &o) { return !o.is_argument() && !o.common; });
  if (!all) text += fmt::format("\n'edgec {} --help-all' lists {} flags more.\n", command_, hidden);
  if (!examples_.empty()) text += "\nExamples:\n";
  for (const std::string &line : split_at({examples_}, '\n'))
    text += fmt::format("{}\n", fmt::join(wrap(line, width - 8), " \\\n      "));
  return text;
}

} // namespace edgec

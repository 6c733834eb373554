// The flags and arguments of a command, bound to variables. One list serves the command line, recipes and help.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "support/result.h"

namespace edgec {

/// Where an option's value lands.
using OptionTarget = std::variant<bool *, int *, std::int64_t *, std::uint64_t *, double *, std::string *,
                                  std::optional<double> *, std::optional<std::int64_t> *, std::vector<std::string> *>;

/// What a number counts, which says how else it may be written.
enum class Unit {
  none,
  bytes,    ///< "690000", "40KB" (1000), "64KiB" (1024)
  fraction, ///< of one: "0.99", "99%"
  points    ///< hundredths: "1", "1%"
};

/// A fraction as people write it; nothing where `text` is none.
std::optional<double> parse_fraction(std::string_view text);

/// One flag ("--prune R"), switch ("--int8") or argument ("MODEL").
struct Option {
  std::string names; ///< "-o,--output": the long one last; an argument's has no dash
  std::string value; ///< what stands for the value in help; empty: a switch
  OptionTarget target;
  std::string help;
  std::string group;
  std::vector<std::string> choices;                ///< the only values allowed; empty: any
  std::optional<std::pair<double, double>> limits; ///< of a number, both included
  Unit unit = Unit::none;                          ///< of a number
  char separator = 0;                              ///< of a list: "A,B" is two values
  bool required = false;                           ///< an argument that must be there
  bool given = false;                              ///< by a flag or a recipe
  std::vector<std::string> texts;                  ///< as given

  Option &one_of(std::vector<std::string> values);
  Option &between(double low, double high);
  Option &in(Unit counted);
  Option &split(char at);

  [[nodiscard]] bool is_argument() const { return names.front() != '-'; }
  [[nodiscard]] bool is_switch() const { return value.empty() && !is_argument(); }
  [[nodiscard]] bool is_list() const { return std::holds_alternative<std::vector<std::string> *>(target); }
  /// The long name without dashes: the key in recipes.
  [[nodiscard]] std::string key() const;
  /// "--prune", "MODEL": for messages.
  [[nodiscard]] std::string shown() const;
  /// Converts and stores values as a user typed them (a switch: "true" or "false"). Errors (usage) name the option.
  Status assign(std::vector<std::string> values);
};

class Options {
public:
  Options(std::string command, std::string summary, std::string examples);

  /// The options that follow are listed under this title in help.
  void group(std::string title) { group_ = std::move(title); }
  Option &argument(std::string name, OptionTarget target, std::string help, bool required = true);
  Option &add(std::string names, std::string value, OptionTarget target, std::string help);
  Option &flag(std::string names, bool *target, std::string help);

  /// Whether "--calib" was given, by a flag or a recipe.
  [[nodiscard]] bool given(std::string_view name) const;
  /// Whether the command works on something, rather than listing what the program has.
  [[nodiscard]] bool takes_model() const { return !options_.empty() && options_.front().is_argument(); }
  /// Null: there is no such flag.
  [[nodiscard]] Option *find(std::string_view key);
  [[nodiscard]] std::deque<Option> &all() { return options_; }
  [[nodiscard]] const std::string &command() const { return command_; }
  /// What --help prints, in lines of at most `width` characters.
  [[nodiscard]] std::string help(std::size_t width) const;

private:
  std::string command_, summary_, examples_, group_ = "Flags";
  std::deque<Option> options_; // a deque: references given out stay valid
};

} // namespace edgec

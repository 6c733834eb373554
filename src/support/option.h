// Options as rows: what each is called, takes, needs and means, bound to a variable of whoever uses it. Command lines,
// recipes, help, warnings and the record of how a file was made are loops over the rows.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
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
  bytes,       ///< "690000", "40KB" (1000), "64KiB" (1024)
  fraction,    ///< of one: "0.99", "99%"
  points,      ///< hundredths: "1", "1%"
  milliseconds ///< "2.5", "2.5ms", "800us", "1s"
};

/// A fraction as people write it; nothing where `text` is none.
std::optional<double> parse_fraction(std::string_view text);

class Options;

/// What must hold so that an option has an effect.
struct OptionNeed {
  std::function<bool(const Options &)> holds;
  std::string missing; ///< "without --int8": how the option has no effect
};

/// When the value of an option that has an effect is recorded in the files that are written.
enum class Recorded { never, changes, always };

/// One flag ("--prune R"), switch ("--int8") or argument ("MODEL").
struct Option {
  std::string names; ///< "-o,--output": the long one last; an argument's has no dash
  std::string value; ///< what stands for the value in help; empty: a switch
  OptionTarget target;
  std::string help;
  std::string group;
  std::vector<std::string> choices;                ///< the only values allowed; empty: any
  std::string implied;                             ///< the choice where none is given: "--int8" is "--int8 auto"
  std::optional<std::pair<double, double>> limits; ///< of a number, both included
  Unit unit = Unit::none;                          ///< of a number
  char separator = 0;                              ///< of a list: "A,B" is two values
  bool required = false;                           ///< an argument that must be there
  bool given = false;                              ///< by a flag or a recipe
  std::vector<std::string> texts;                  ///< as given
  std::vector<OptionNeed> needed;
  bool common = false; ///< wanted by most: of a long list of flags --help shows these
  bool lossy = false;  ///< asks for something that may cost the network answers
  Recorded recorded = Recorded::never;
  std::string fallback;                ///< the value as a text before anything is assigned
  std::function<std::string()> record; ///< the text that is recorded; empty: the value's
  std::function<Status()> then;        ///< checks or completes a value that was assigned

  Option &one_of(std::vector<std::string> values);
  /// The value may be left out; then it is `choice`. In recipes true says so, too, and false that it is not given.
  Option &implies(std::string choice);
  Option &between(double low, double high);
  Option &in(Unit counted);
  Option &split(char at);
  /// Without effect unless `condition` holds: another option's key ("int8"), one of several ("int8|prune"), a value
  /// that it has or has not ("range=percentile", "effort!=fast"), or "lossy": any option that may cost answers.
  Option &needs(std::string_view condition);
  Option &needs(std::string missing, std::function<bool()> holds);
  Option &is_common();
  Option &loses();
  Option &records(std::function<std::string()> text = nullptr);
  Option &records_changes();
  Option &finally(std::function<Status()> check);

  [[nodiscard]] bool is_argument() const { return names.front() != '-'; }
  [[nodiscard]] bool is_switch() const { return value.empty() && !is_argument(); }
  [[nodiscard]] bool is_list() const { return std::holds_alternative<std::vector<std::string> *>(target); }
  /// The long name without dashes: the key in recipes.
  [[nodiscard]] std::string key() const;
  /// "--prune", "MODEL": for messages.
  [[nodiscard]] std::string shown() const;
  /// The value as a user would type it; empty where nothing is set.
  [[nodiscard]] std::string value_text() const;
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
  [[nodiscard]] const Option *find(std::string_view key) const;
  /// Whether a condition of Option::needs() holds.
  [[nodiscard]] bool holds(std::string_view condition) const;
  /// A sentence for each option that was given and has no effect, with the reason.
  [[nodiscard]] std::vector<std::string> idle() const;
  /// What decides the result: keys and values, in the order of the rows.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> effective() const;
  [[nodiscard]] std::deque<Option> &all() { return options_; }
  [[nodiscard]] const std::string &command() const { return command_; }
  /// Whether --help shows some of the flags only.
  [[nodiscard]] bool is_long() const;
  /// What --help, or --help-all, prints, in lines of at most `width` characters.
  [[nodiscard]] std::string help(std::size_t width, bool all) const;

private:
  std::string command_, summary_, examples_, group_ = "Flags";
  std::deque<Option> options_; // a deque: references given out stay valid
};

} // namespace edgec

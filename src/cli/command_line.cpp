#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <map>

#include "cli/nearest.h"

namespace edgec {
namespace {

using Bound = std::vector<std::pair<Option *, CLI::Option *>>;

/// Declares the options without targets: Option::assign converts, so that recipes and flags are read alike.
Bound declare(CLI::App &app, Options &options) {
  Bound bound;
  for (Option &option : options.all()) {
    CLI::Option *declared = option.is_switch() ? app.add_flag(option.names) : app.add_option(option.names);
    if (!option.is_switch()) declared->expected(1);
    declared->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (!option.is_switch()) declared->allow_extra_args(false);
    bound.emplace_back(&option, declared);
  }
  return bound;
}

Status assign_all(const Bound &bound) {
  for (const auto &[option, declared] : bound) {
    if (declared->count() == 0) continue;
    EDGEC_CHECK(option->assign(option->is_switch() ? std::vector<std::string>{"true"} : declared->results()));
  }
  return {};
}

/// A word that fits nothing: a mistyped flag or command, or an argument too many.
Error unexpected(const std::string &word, Options *command, std::span<Options *const> commands) {
  std::vector<std::string> names;
  if (command == nullptr) {
    for (const Options *options : commands) names.push_back(options->command());
    return usage_error(fmt::format("there is no command '{}'; see 'edgec --help'{}", word, did_you_mean(word, names)));
  }
  for (const Option &option : command->all()) {
    if (!option.is_argument()) names.push_back(option.shown());
  }
  const std::string flag = word.substr(0, word.find('='));
  if (word.starts_with('-') && word != "-")
    return usage_error(fmt::format("there is no flag {}; see 'edgec {} --help'{}", flag, command->command(),
                                   did_you_mean(flag, names)));
  return usage_error(fmt::format("'{}' is one argument too many; see 'edgec {} --help'", word, command->command()));
}

} // namespace

Result<CommandLine> parse_command_line(int argc, char **argv, std::span<Options *const> commands) {
  CLI::App app;
  CommandLine line;
  app.set_help_flag();
  app.add_flag("-h,--help", line.help);
  app.add_flag("--version", line.version);
  app.add_flag("--json", line.json);
  app.allow_extras();
  std::map<CLI::App *, std::pair<Options *, Bound>> declared;
  for (Options *options : commands) {
    CLI::App *command = app.add_subcommand(options->command());
    command->set_help_flag();
    command->add_flag("-h,--help", line.help);
    command->allow_extras();
    declared[command] = {options, declare(*command, *options)};
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return usage_error(fmt::format("{}; see 'edgec --help'", error.what()));
  }
  const auto chosen = app.get_subcommands();
  if (!chosen.empty()) line.command = declared.at(chosen.front()).first;
  if (line.help) return line;
  if (const auto words = app.remaining(true); !words.empty()) return unexpected(words.front(), line.command, commands);
  if (chosen.size() > 1)
    return usage_error(fmt::format("'{}' is a second command; one was expected", chosen.back()->get_name()));
  if (line.command != nullptr) EDGEC_CHECK(assign_all(declared.at(chosen.front()).second));
  return line;
}

Status check_required(Options &options) {
  for (const Option &option : options.all()) {
    if (option.required && !option.given)
      return usage_error(fmt::format("{} is missing; see 'edgec {} --help'", option.names, options.command()));
  }
  return {};
}

} // namespace edgec

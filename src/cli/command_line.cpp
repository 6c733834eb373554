#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "support/nearest.h"

namespace edgec {
namespace {

using Bound = std::vector<std::pair<Option *, CLI::Option *>>;

/// Declares the options without targets: Option::assign converts, so that recipes and flags are read alike.
Bound declare(CLI::App &app, Options &options) {
  Bound bound;
  for (Option &option : options.all()) {
    CLI::Option *declared = option.is_switch() ? app.add_flag(option.names) : app.add_option(option.names);
    constexpr int any_number = 1 << 20;
    const bool many = option.is_argument() && option.is_list();
    if (!option.is_switch()) declared->expected(1, many ? any_number : 1);
    declared->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (!option.is_switch()) declared->allow_extra_args(many);
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

/// "--int8 dynamic" and "--int8" as "--int8=dynamic" and "--int8=auto": CLI11 would take any word for the value.
std::vector<std::string> with_implied(const std::vector<std::string> &words, std::span<Options *const> commands) {
  const auto optional = [&](const std::string &word) -> const Option * {
    for (Options *options : commands)
      for (const Option &option : options->all())
        if (!option.implied.empty() && option.shown() == word && options->command() == words.front()) return &option;
    return nullptr;
  };
  std::vector<std::string> found;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Option *option = optional(words[i]);
    if (option == nullptr) {
      found.push_back(words[i]);
      continue;
    }
    const bool chosen =
        i + 1 < words.size() && std::ranges::find(option->choices, words[i + 1]) != option->choices.end();
    found.push_back(words[i] + '=' + (chosen ? words[i + 1] : option->implied));
    if (chosen) ++i;
  }
  return found;
}

/// A word that fits nothing: a mistyped flag or command, or an argument too many.
Error unexpected(const std::string &word, Options *command, std::span<Options *const> commands) {
  std::vector<std::string> names;
  if (command == nullptr && word.starts_with('-'))
    return usage_error(fmt::format("there is no flag {} before a command; see 'edgec --help'", word));
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

/// `edgec help COMMAND` is `edgec COMMAND --help`, `edgec version` is `edgec --version`.
std::vector<std::string> spelled_as_flags(int argc, char **argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == "version") words[0] = "--version";
  if (words.empty() || words[0] != "help") return words;
  words.erase(words.begin());
  words.insert(words.begin() + (words.empty() ? 0 : 1), "--help");
  return words;
}

Result<CommandLine> parse_command_line(int argc, char **argv, std::span<Options *const> commands) {
  CLI::App app;
  CommandLine line;
  app.set_help_flag();
  app.add_flag("-h,--help", line.help);
  app.add_flag("-V,--version", line.version);
  app.add_flag("--json", line.json);
  app.allow_extras();
  app.require_subcommand(0, 1); // what follows a command is not a command, even if it has the name of one
  std::map<CLI::App *, std::pair<Options *, Bound>> declared;
  for (Options *options : commands) {
    CLI::App *command = app.add_subcommand(options->command());
    command->set_help_flag();
    command->add_flag("-h,--help", line.help);
    command->add_flag("--help-all", line.help_all);
    command->allow_extras();
    declared[command] = {options, declare(*command, *options)};
  }
  std::vector<std::string> words = with_implied(spelled_as_flags(argc, argv), commands);
  if (words.size() == 2 && words[0] == "preprocess" && words[1] == "--help") {
    line.topic = words[0];
    return line;
  }
  std::ranges::reverse(words); // as CLI11 takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError &error) {
    return usage_error(fmt::format("{}; see 'edgec --help'", error.what()));
  }
  const auto chosen = app.get_subcommands();
  if (!chosen.empty()) line.command = declared.at(chosen.front()).first;
  const auto rest = app.remaining(true);
  line.help = line.help || line.help_all;
  if (line.help && (line.command != nullptr || rest.empty())) return line;
  if (!rest.empty()) return unexpected(rest.front(), line.command, commands);
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

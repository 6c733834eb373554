#include <cstdio>
#include <deque>
#include <exception>
#include <fmt/format.h>
#include <new>

#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/declared.h"
#include "cli/recipe.h"
#include "data/preprocess_help.h"
#include "job/model_file.h"
#include "job/version.h"
#include "support/cancel.h"
#include "support/file.h"
#include "support/table.h"

namespace edgec {
namespace {

std::string program_help() {
  std::string text = "usage: edgec COMMAND MODEL [flags]\n\n"
                     "Makes trained networks small and fast without making them wrong.\n\nCommands:\n";
  for (const CommandDef *command : all_commands()) text += fmt::format("  {:<12}{}\n", command->name, command->summary);
  text += "\n'edgec COMMAND --help' explains a command, 'edgec help preprocess' how images become tensors, 'edgec "
          "--version [--json]' says what this program is made of.\n";
  text += "\nExit status: ";
  for (const ExitStatus &one : exit_statuses)
    text += fmt::format("{}{} {}", &one == exit_statuses ? "" : "; ", one.status, one.meaning);
  text += ".\n";
  return text;
}

std::string with_advice(const Error &error) {
  switch (error.code) {
  case Code::internal:
    return error.message + "; this is a bug in edgec: please report the command line and 'edgec --version --json'";
  case Code::interrupted: return "interrupted; nothing half-written is left";
  default: return error.message;
  }
}

int fail(const Error &error) {
  print_error(with_advice(error));
  return static_cast<int>(error.code);
}

/// Flags that no command line can leave to a recipe alone are checked last.
Result<Outcome> run_command(DeclaredCommand &command) {
  const std::string &recipe = command.shared.recipe;
  if (!recipe.empty()) EDGEC_CHECK(apply_recipe(recipe, command.options));
  set_up_console(command.shared.console);
  EDGEC_CHECK(check_required(command.options));
  if (!command.shared.save_recipe.empty()) {
    constexpr std::string_view recipe_ending[] = {".toml"};
    EDGEC_CHECK(check_ending(command.shared.save_recipe, recipe_ending).in("--save-recipe"));
    const std::string text = recipe_text(command.options);
    const Option *force = command.options.find("force");
    EDGEC_CHECK(write_file(command.shared.save_recipe, text, force != nullptr && force->given));
  }
  return command.run();
}

Result<Outcome> run(int argc, char **argv) {
  auto commands = declare_commands();
  std::vector<Options *> options;
  for (DeclaredCommand &command : commands) options.push_back(&command.options);
  EDGEC_ASSIGN(const CommandLine line, parse_command_line(argc, argv, options));
  if (!line.topic.empty()) {
    print(preprocess_help());
    return Outcome::done;
  }
  if (line.help) {
    constexpr std::size_t usual = 80; // not on a terminal
    const std::size_t width = output_width() > 0 ? output_width() : usual;
    print(line.command != nullptr ? line.command->help(width, line.help_all) : wrap_lines(program_help(), width));
    return Outcome::done;
  }
  if (line.version) {
    line.json ? print(version_text(true)) : print_text(version_text(false));
    return Outcome::done;
  }
  if (line.command == nullptr) return usage_error("no command is given; see 'edgec --help'");
  for (DeclaredCommand &command : commands) {
    if (&command.options == line.command) return run_command(command);
  }
  return internal_error("the command line names a command that is not there");
}

} // namespace

int run_program(int argc, char **argv) {
  catch_interrupts();
  set_up_console({});
  try {
    const Result<Outcome> outcome = run(argc, argv);
    if (!outcome) return fail(outcome.error());
    if (!flush_results()) return fail(resource_error("standard output: could not take all of the result"));
    return static_cast<int>(*outcome);
  } catch (const std::bad_alloc &) {
    return fail(resource_error("out of memory"));
  } catch (const std::exception &error) {
    return fail(internal_error(error.what()));
  }
}

} // namespace edgec

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "support/cancel.h"

namespace edgec {

int run_program(int argc, char **argv) {
  catch_interrupts();
  CLI::App app("Makes trained networks small and fast without making them wrong.", "edgec");
  app.require_subcommand(1);
  for (const CommandDef *command : all_commands())
    command->declare(*app.add_subcommand(std::string(command->name), std::string(command->summary)));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(Code::usage);
  }
  return 0;
}

} // namespace edgec

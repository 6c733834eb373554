// From argv to filled-in Options. CLI11 takes the words apart; its header is heavy and stays in command_line.cpp.
#pragma once

#include <span>
#include <string>

#include "support/option.h"

namespace edgec {

struct CommandLine {
  Options *command = nullptr; ///< null: help or version of the whole program
  bool help = false, help_all = false, version = false, json = false;
  std::string topic; ///< of `edgec help TOPIC`, where it is not a command
};

/// Finds the command among `commands` and assigns its flags and arguments; a missing argument is left to
/// check_required(), since --help may stand beside it. Errors (usage) name the word and the nearest flags or commands.
Result<CommandLine> parse_command_line(int argc, char **argv, std::span<Options *const> commands);

/// Error (usage) that names the first required argument that is absent.
Status check_required(Options &options);

} // namespace edgec

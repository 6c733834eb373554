// Every command with its flags: what the command line is read by, and what help, man pages and completions are made of.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/console.h"
#include "support/option.h"

namespace edgec {

/// Flags that every command has.
struct SharedFlags {
  ConsoleFlags console;
  std::string recipe, save_recipe;

  void declare(Options &options);
};

struct DeclaredCommand {
  const CommandDef *def = nullptr;
  Options options;
  SharedFlags shared;
  CommandRun run;

  explicit DeclaredCommand(const CommandDef &of);
  DeclaredCommand(const DeclaredCommand &) = delete; // the options point into it
  DeclaredCommand &operator=(const DeclaredCommand &) = delete;
};

/// By name.
std::deque<DeclaredCommand> declare_commands();

/// Files of a folder that is made where it is not there; they take the place of older ones.
Status write_texts(const std::string &folder, const std::vector<std::pair<std::string, std::string>> &names_and_texts);

/// What a status of the program means, as help and man pages say it.
struct ExitStatus {
  int status;
  std::string_view meaning;
};
inline constexpr ExitStatus exit_statuses[] = {{0, "done, every budget met"},
                                               {1, "a budget or a tolerance was missed"},
                                               {2, "usage"},
                                               {3, "bad input"},
                                               {4, "valid but unsupported"},
                                               {5, "resource (disk, memory)"},
                                               {70, "internal error"},
                                               {130, "interrupted"}};

} // namespace edgec

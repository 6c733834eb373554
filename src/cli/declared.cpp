#include "cli/declared.h"

#include <filesystem>
#include <fmt/format.h>

#include "support/file.h"

namespace edgec {

void SharedFlags::declare(Options &options) {
  options.group("Messages");
  options.flag("-v,--verbose", &console.verbose, "say more on stderr").is_common();
  options.flag("-q,--quiet", &console.quiet,
               "print errors and missed budgets, nothing else: no report, no warnings; --json stays");
  options.flag("--no-progress", &console.no_progress, "no progress line (there is one on a terminal only)");
  options.flag("--progress-lines", &console.progress_lines, "progress as lines of JSON on stderr, for programs");
  options.add("--color", "WHEN", &console.color, "colour on a terminal; NO_COLOR turns it off")
      .one_of({"auto", "always", "never"});
  if (!options.takes_model()) return;
  options.group("Recipes");
  options.add("--recipe", "FILE.toml", &recipe, "read flags from a file (same names); a flag given here wins");
  options.add("--save-recipe", "FILE.toml", &save_recipe, "write the flags given as a recipe");
}

DeclaredCommand::DeclaredCommand(const CommandDef &of)
    : def(&of), options(std::string(of.name), std::string(of.summary), std::string(of.examples)) {
  run = of.declare(options);
  shared.declare(options);
}

std::deque<DeclaredCommand> declare_commands() {
  std::deque<DeclaredCommand> commands;
  for (const CommandDef *def : all_commands()) commands.emplace_back(*def);
  return commands;
}

Status write_texts(const std::string &folder, const std::vector<std::pair<std::string, std::string>> &names_and_texts) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return resource_error(fmt::format("{}: {}", folder, failed.message()));
  for (const auto &[name, text] : names_and_texts) {
    EDGEC_CHECK(write_file(fmt::format("{}/{}", folder, name), text, true));
  }
  return {};
}

} // namespace edgec

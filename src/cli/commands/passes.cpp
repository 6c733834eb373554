// edgec passes: the passes there are, a line each, exact ones in the order in which they run.
#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "passes/pipeline.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

/// The exact pipeline first, in its order; then the others by name.
std::vector<const PassDef *> in_order() {
  const auto pipeline = exact_pipeline();
  std::vector<const PassDef *> passes(pipeline.begin(), pipeline.end());
  for (const PassDef *pass : all_passes()) {
    if (std::ranges::find(passes, pass) == passes.end()) passes.push_back(pass);
  }
  return passes;
}

const char *kind_name(const PassDef &pass) { return pass.kind == PassKind::exact ? "exact" : "lossy"; }

std::string json_list() {
  const auto pipeline = exact_pipeline();
  auto list = nlohmann::ordered_json::array();
  for (const PassDef *pass : in_order())
    list.push_back({{"name", pass->name},
                    {"kind", kind_name(*pass)},
                    {"summary", pass->summary},
                    {"by_default", std::ranges::find(pipeline, pass) != pipeline.end()}});
  return list.dump(2) + "\n";
}

std::string table() {
  Table table({"pass", "kind", "what it does"});
  for (const PassDef *pass : in_order())
    table.add({std::string(pass->name), kind_name(*pass), std::string(pass->summary)});
  return table.text(output_width());
}

CommandRun declare(Options &options) {
  auto json = std::make_shared<bool>(false);
  options.flag("--json", json.get(), "as JSON");
  return [json]() -> Result<Outcome> {
    *json ? print(json_list()) : print_text(table());
    return Outcome::done;
  };
}

} // namespace

extern const CommandDef passes;
const CommandDef passes{"passes", "List the passes: exact ones in the order of 'edgec optimize', then lossy ones",
                        "  edgec passes --json\n", declare};

} // namespace edgec::commands

// edgec passes: the passes there are, a line each, exact ones in the order in which they run.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "passes/pipeline.h"
#include "schemes/scheme.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

/// A line of the list.
struct Entry {
  std::string_view name, kind, summary;
  bool by_default = false;
};

/// The exact pipeline first, in its order; then other exact passes and the schemes by name.
std::vector<Entry> entries() {
  std::vector<Entry> found;
  const auto pipeline = exact_pipeline();
  for (const PassDef *pass : pipeline) found.push_back({pass->name, "exact", pass->summary, true});
  for (const PassDef *pass : all_passes())
    if (std::ranges::find(pipeline, pass) == pipeline.end()) found.push_back({pass->name, "exact", pass->summary});
  for (const SchemeDef *scheme : all_schemes()) found.push_back({scheme->name, "lossy", scheme->summary});
  return found;
}

/// The rows of the schemes' options, with what each takes and has without being given.
nlohmann::ordered_json json_options() {
  Settings settings;
  Options options("compress", "", "");
  declare_schemes(options, settings);
  auto list = nlohmann::ordered_json::array();
  for (const Option &option : options.all()) {
    nlohmann::ordered_json row{{"name", option.key()}, {"group", option.group}, {"help", option.help}};
    if (!option.value.empty()) row["value"] = option.value;
    if (!option.choices.empty()) row["choices"] = option.choices;
    if (option.limits) row["between"] = {option.limits->first, option.limits->second};
    if (!option.fallback.empty()) row["default"] = option.fallback;
    list.push_back(std::move(row));
  }
  return list;
}

std::string options_table() {
  Settings settings;
  Options options("compress", "", "");
  declare_schemes(options, settings);
  Table table({"option", "value", "default", "what it does"});
  for (const Option &option : options.all()) {
    const std::string value = option.choices.empty() ? option.value : fmt::format("{}", fmt::join(option.choices, "|"));
    table.add({option.shown(), value, option.fallback, option.help});
  }
  return table.text(output_width());
}

std::string json_list() {
  auto list = nlohmann::ordered_json::array();
  for (const Entry &entry : entries())
    list.push_back(
        {{"name", entry.name}, {"kind", entry.kind}, {"summary", entry.summary}, {"by_default", entry.by_default}});
  return list.dump(2) + "\n";
}

std::string table() {
  Table table({"pass", "kind", "what it does"});
  for (const Entry &entry : entries())
    table.add({std::string(entry.name), std::string(entry.kind), std::string(entry.summary)});
  return table.text(output_width());
}

struct Arguments {
  bool json = false, options = false;
};

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.flag("--options", &arguments->options, "list the options of the lossy schemes instead");
  options.flag("--json", &arguments->json, "as JSON");
  return [arguments]() -> Result<Outcome> {
    const auto &[json, of_options] = *arguments;
    if (json)
      print(of_options ? json_options().dump(2) + "\n" : json_list());
    else
      print_text(of_options ? options_table() : table());
    return Outcome::done;
  };
}

} // namespace

extern const CommandDef passes;
const CommandDef passes{"passes", "List the passes: exact ones in the order of 'edgec optimize', then lossy ones",
                        "  edgec passes --json\n  edgec passes --options\n", declare};

} // namespace edgec::commands

// edgec ops: the operators the program knows, a line each.
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "ops/registry.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

std::string_view rule_name(QuantRule rule) {
  switch (rule) {
  case QuantRule::float_only: return "float";
  case QuantRule::own_scale: return "own-scale";
  case QuantRule::same_scale: return "same-scale";
  case QuantRule::fixed_range: return "fixed-range";
  case QuantRule::not_data: return "not-data";
  }
  return "float";
}

std::string full_name(const OpDef &op) {
  return op.domain.empty() ? std::string(op.name) : fmt::format("{}:{}", op.domain, op.name);
}

std::string json_list() {
  auto list = nlohmann::ordered_json::array();
  for (const OpDef *op : all_ops().all())
    list.push_back({{"name", op->name},
                    {"domain", op->domain},
                    {"since", op->since},
                    {"summary", op->summary},
                    {"runs", op->reference != nullptr},
                    {"fast", op->prepare != nullptr},
                    {"int8", rule_name(op->quant)}});
  return list.dump(2) + "\n";
}

std::string table() {
  Table table({"operator", "since", "runs", "int8", "what it does"});
  for (const OpDef *op : all_ops().all()) {
    const char *runs = op->prepare != nullptr ? "fast" : op->reference != nullptr ? "yes" : "no";
    table.add(
        {full_name(*op), fmt::to_string(op->since), runs, std::string(rule_name(op->quant)), std::string(op->summary)});
  }
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

extern const CommandDef ops;
const CommandDef ops{"ops", "List the operators that can be read, run and quantized", "  edgec ops --json\n", declare};

} // namespace edgec::commands

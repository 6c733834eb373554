// edgec ops: the operators the program knows, a line each.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "ops/registry.h"

namespace edgec::commands {
namespace {

void declare(CLI::App &app) {
  app.callback([] {
    for (const OpDef *op : all_ops().all())
      fmt::print("{}{}{:<28} since {:<3} {}\n", op->domain, op->domain.empty() ? "" : ":", op->name, op->since, op->summary);
  });
}

} // namespace

extern const CommandDef ops;
const CommandDef ops{"ops", "List the operators that can be read, run and quantized", declare};

} // namespace edgec::commands

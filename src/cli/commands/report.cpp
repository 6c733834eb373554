// edgec report: saved reports of compress as a page to look at, or in another form.
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "job/flags.h"
#include "job/model_file.h"
#include "report/report_file.h"
#include "support/file.h"

namespace edgec::commands {
namespace {

struct Arguments {
  std::vector<std::string> reports;
  OutputFlags output;
};

Result<Outcome> run(const Arguments &arguments) {
  const std::string &path = arguments.output.path;
  if (path.empty()) return usage_error("-o: the file to write is missing: .html, .md, .xml or .json");
  EDGEC_CHECK(check_ending(path, report_endings()).in("-o"));
  EDGEC_CHECK(check_output(path, arguments.reports, arguments.output.force));
  std::vector<nlohmann::ordered_json> reports;
  for (const std::string &file : arguments.reports) {
    EDGEC_ASSIGN(reports.emplace_back(), read_report(file));
  }
  EDGEC_ASSIGN(const std::string text, report_file_text(reports, path));
  EDGEC_CHECK(write_file(path, text, arguments.output.force));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("REPORT.json", &arguments->reports, "what --report wrote; several are shown side by side");
  arguments->output.declare(options, "the file to write: .html, .md or .xml");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef report;
const CommandDef report{"report", "Saved reports as a page to look at, a summary for CI, or JUnit's form",
                        "  edgec report a.json b.json -o compared.html\n", declare};

} // namespace edgec::commands

#include "cli/main_job.h"

#include <fmt/format.h>

#include "cli/console.h"
#include "cli/progress.h"
#include "measure/report.h"

namespace edgec {
namespace {

/// Where a search saw that a size cannot be met: what can be.
std::string smallest_text(const BudgetFigures &budget, std::size_t smallest) {
  if (budget.name != "--max-size" || smallest == 0) return {};
  return fmt::format(
      ": the smallest that this network becomes here is about {} bytes; prune or share its weights for less", smallest);
}

void tell(const CompressFile &file, bool json, const CompressedFile &done) {
  const Report &report = done.report;
  if (file.passes.time_passes) say(pass_times(report.passes, output_width()));
  if (file.path != "-")
    json ? print(report_json(report)) : print_report(report_text(report, file.verbose, output_width()));
  for (const std::string &text : report.warnings) (done.met && !done.interrupted ? warn : miss)(text);
  for (const BudgetFigures &budget : report.budgets)
    if (!budget.met)
      miss(fmt::format("BUDGET MISSED: {} {:.10g} was asked, {} was found; {} is written all the same{}", budget.name,
                       budget.limit, found_text(budget), file.path, smallest_text(budget, done.smallest)));
}

} // namespace

Result<Outcome> run_main_job(CompressFile &file, const OutputFlags &output, bool json, const Options &options) {
  file.path = output.path;
  file.force = output.force;
  file.verbose = options.given("--verbose");
  file.each_layer = json || !file.report_path.empty() || file.verbose;
  EDGEC_CHECK(file.name_output());
  file.command = options.command();
  file.recorded = options.effective();
  for (const std::string &sentence : options.idle()) warn(sentence);
  ProgressLine line(file.steps());
  EDGEC_ASSIGN(const CompressedFile done, compress_file(file, line));
  if (file.dry_run) {
    print(done.plan);
    return Outcome::done;
  }
  tell(file, json, done);
  return done.interrupted ? Outcome::interrupted : done.met ? Outcome::done : Outcome::missed;
}

} // namespace edgec

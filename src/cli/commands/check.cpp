// edgec check: are results what the lock says? For CI: a changed size, file or figure is status 1.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "batch/lock.h"
#include "batch/toml.h"
#include "cli/command.h"
#include "cli/console.h"
#include "report/report_file.h"
#include "support/file.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::vector<std::string> reports;
  std::string lock = "edgec.lock";
  bool update = false, json = false, annotate = false;
};

std::string count_of(std::size_t count, const char *what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

Result<std::vector<LockedResult>> read_lock(const std::string &path) {
  EDGEC_ASSIGN(const Json json, read_toml(path));
  return parse_lock(json).in(path);
}

Result<std::vector<LockedResult>> read_results(const std::vector<std::string> &reports) {
  std::vector<LockedResult> found;
  for (const std::string &path : reports) {
    EDGEC_ASSIGN(const Json report, read_report(path));
    EDGEC_ASSIGN(found.emplace_back(), result_of(path, report));
  }
  return found;
}

std::string text_of(const std::vector<LockDifference> &changed, const std::string &lock) {
  Table table({"report", "figure", lock, "found", "by"});
  for (const LockDifference &one : changed) table.add({one.report, one.figure, one.locked, one.found, one.by});
  return table.text(output_width());
}

std::string json_of(const std::vector<LockDifference> &changed, std::size_t results) {
  Json all = Json::array();
  for (const LockDifference &one : changed)
    all.push_back({{"report", one.report},
                   {"figure", one.figure},
                   {"locked", one.locked},
                   {"found", one.found},
                   {"by", one.by.empty() ? Json() : Json(one.by)}});
  return Json{{"schema", "edgec-check/1"}, {"results", results}, {"changed", std::move(all)}}.dump(
             2, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

/// A message of GitHub's workflows, which shows it beside the lock; line ends and percents as it wants them.
std::string annotation_of(const LockDifference &one, const std::string &lock) {
  std::string safe;
  const std::string text = fmt::format("{}: {} was {}, is {}{}{}", one.report, one.figure, one.locked, one.found,
                                       one.by.empty() ? "" : ": ", one.by);
  for (const char c : text) safe += c == '%' ? "%25" : c == '\n' ? "%0A" : c == '\r' ? "%0D" : std::string(1, c);
  return fmt::format("::error file={},title=edgec check::{}\n", lock, safe);
}

Status update(const Arguments &arguments, const std::vector<LockedResult> &lock) {
  std::vector<std::string> reports = arguments.reports;
  if (reports.empty())
    for (const LockedResult &locked : lock) reports.push_back(locked.report);
  EDGEC_ASSIGN(const std::vector<LockedResult> found, read_results(reports));
  const std::string text = lock_text(updated(lock, found));
  EDGEC_CHECK(write_file(arguments.lock, text, true));
  say(fmt::format("wrote {}, {}", arguments.lock, count_of(found.size(), "result")));
  return {};
}

/// The results that are to be compared: those of the reports named, else all of the lock.
Result<std::vector<LockDifference>> compare(const Arguments &arguments, const std::vector<LockedResult> &lock) {
  std::vector<LockDifference> changed;
  std::vector<std::string> reports = arguments.reports;
  if (reports.empty())
    for (const LockedResult &locked : lock) reports.push_back(locked.report);
  EDGEC_ASSIGN(const std::vector<LockedResult> found, read_results(reports));
  for (const LockedResult &result : found) {
    const auto locked = std::ranges::find(lock, result.report, &LockedResult::report);
    const std::vector<LockDifference> more = locked != lock.end()
                                                 ? differences(*locked, result)
                                                 : std::vector{LockDifference{result.report, "", "not there", "", ""}};
    changed.insert(changed.end(), more.begin(), more.end());
  }
  return changed;
}

Result<Outcome> run(const Arguments &arguments) {
  std::error_code ignored;
  std::vector<LockedResult> lock;
  if (!arguments.update || std::filesystem::exists(arguments.lock, ignored)) {
    EDGEC_ASSIGN(lock, read_lock(arguments.lock));
  } else if (arguments.reports.empty()) {
    return usage_error(fmt::format("{}: is not there yet; name the reports that it is to hold", arguments.lock));
  }
  if (arguments.update) {
    EDGEC_CHECK(update(arguments, lock));
    return Outcome::done;
  }
  EDGEC_ASSIGN(const std::vector<LockDifference> changed, compare(arguments, lock));
  const std::size_t results = arguments.reports.empty() ? lock.size() : arguments.reports.size();
  if (arguments.json) print(json_of(changed, results));
  if (!arguments.json && !changed.empty()) print_report(text_of(changed, arguments.lock));
  if (arguments.annotate)
    for (const LockDifference &one : changed) print(annotation_of(one, arguments.lock));
  if (changed.empty()) {
    say(fmt::format("unchanged: {} of {}", count_of(results, "result"), arguments.lock));
    return Outcome::done;
  }
  miss(fmt::format("CHANGED: {} of {}; where that is meant: edgec check --update", count_of(changed.size(), "figure"),
                   arguments.lock));
  return Outcome::missed;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("REPORT.json", &arguments->reports, "what compress --report wrote (default all of the lock)", false);
  options.add("--lock", "FILE", &arguments->lock, "what the results have to be");
  options.flag("--update", &arguments->update, "write the lock as the results are; its tolerances stay");
  options.flag("--annotate", &arguments->annotate, "also print what changed as annotations of GitHub's workflows");
  options.flag("--json", &arguments->json, "as JSON");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef check;
const CommandDef check{"check", "Are results what edgec.lock says: sizes, hashes, figures? Status 1 where one changed",
                       "  edgec compress model.onnx --int8 --calib x.npz --report r.json --force\n"
                       "  edgec check r.json --update   # once; commit edgec.lock\n"
                       "  edgec check                   # in CI, after the same compress\n",
                       declare};

} // namespace edgec::commands

#include "batch/lock.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "report/view.h"
#include "support/file.h"
#include "support/table.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;

/// A figure of reports: where it is, how it is shown, and how far it usually moves between machines.
struct Known {
  const char *name, *part, *key;
  double tolerance;
  bool whole;
};
constexpr Known known_figures[] = {
    {"bytes", "after", "bytes", 0, true},
    {"nonzero", "after", "nonzero_parameters", 0, true},
    {"macs", "after", "macs", 0, true},
    {"top1", "evaluated", "top1", 0.005, false},
    {"agreement", "verified", "agreement", 0.005, false},
    {"sqnr-db", "verified", "sqnr_db", 0.5, false},
};

const Known *find_known(const std::string &name) {
  const auto found = std::ranges::find(known_figures, name, &Known::name);
  return found == std::end(known_figures) ? nullptr : &*found;
}

std::string shown(const std::string &name, double value) {
  const Known *known = find_known(name);
  return known != nullptr && known->whole ? grouped(static_cast<std::uint64_t>(std::max(0.0, value)))
                                          : fmt::format("{:.6g}", value);
}

const LockedFigure *find_figure(const LockedResult &result, const std::string &name) {
  const auto found = std::ranges::find(result.figures, name, &LockedFigure::name);
  return found == result.figures.end() ? nullptr : &*found;
}

Result<LockedResult> parse_result(const Json &entry) {
  const View view(entry);
  LockedResult result{view.text("report"), {}, view.text("sha256"), {}};
  if (result.report.empty()) return bad_input("[[result]]: report is missing, the path of what --report wrote");
  for (const auto &[key, value] : entry.items()) {
    if (key == "report" || key == "sha256" || key == "tolerance") continue;
    if (find_known(key) == nullptr)
      return bad_input(
          fmt::format("'{}' is not a figure; there are sha256, bytes, nonzero, macs, top1, agreement, sqnr-db", key));
    if (!value.is_number()) return bad_input(fmt::format("{}: a number was expected", key));
    result.figures.push_back({key, value.get<double>(), view.at("tolerance").number_or(key.c_str(), 0)});
  }
  return result;
}

std::string text_of(const std::string &text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

} // namespace

Result<std::vector<LockedResult>> parse_lock(const Json &lock) {
  std::vector<LockedResult> results;
  if (!lock.contains("result") || !lock["result"].is_array())
    return bad_input("holds no result: tables begun by [[result]] were expected");
  for (const Json &entry : lock["result"]) {
    EDGEC_ASSIGN(results.emplace_back(), parse_result(entry));
  }
  return results;
}

std::string lock_text(const std::vector<LockedResult> &results) {
  std::string text = "# What results have to be: edgec check compares, edgec check --update writes.\n"
                     "# A line that is taken out is not checked; tolerances may be edited.\n";
  for (const LockedResult &result : results) {
    text += fmt::format("\n[[result]]\nreport = {}\n", text_of(result.report));
    if (!result.sha256.empty()) text += fmt::format("sha256 = {}\n", text_of(result.sha256));
    std::string tolerances;
    for (const LockedFigure &figure : result.figures) {
      text += fmt::format("{} = {}\n", figure.name, figure.value);
      if (figure.tolerance > 0) tolerances += fmt::format("{} = {}\n", figure.name, figure.tolerance);
    }
    if (!tolerances.empty()) text += "[result.tolerance]\n" + tolerances;
  }
  return text;
}

Result<LockedResult> result_of(const std::string &path, const Json &report) {
  const View view(report);
  const std::string file = view.at("provenance").text("output"), wanted = view.at("provenance").text("output_sha256");
  EDGEC_ASSIGN(const Storage bytes, map_file(file).in(path));
  LockedResult result{path, file, sha256(bytes), {}};
  if (result.sha256 != wanted)
    return bad_input(fmt::format("{}: {} is not the file of this report: its SHA-256 is {}, the report says {}", path,
                                 file, result.sha256.substr(0, 12), wanted.substr(0, 12)));
  for (const Known &known : known_figures)
    if (const auto value = view.at(known.part).number(known.key))
      result.figures.push_back({known.name, *value, known.tolerance});
  return result;
}

std::vector<LockDifference> differences(const LockedResult &locked, const LockedResult &found) {
  std::vector<LockDifference> all;
  if (!locked.sha256.empty() && locked.sha256 != found.sha256)
    all.push_back({locked.report, "sha256", locked.sha256.substr(0, 12), found.sha256.substr(0, 12), {}});
  for (const LockedFigure &figure : locked.figures) {
    const LockedFigure *now = find_figure(found, figure.name);
    const double by = now != nullptr ? now->value - figure.value : 0;
    if (now != nullptr && std::abs(by) <= figure.tolerance * (1 + 1e-9)) continue;
    LockDifference difference{locked.report, figure.name, shown(figure.name, figure.value), "not measured", {}};
    if (now != nullptr) {
      difference.found = shown(figure.name, now->value);
      const std::string share = figure.value != 0 ? fmt::format(" ({:+.2g} %)", 100 * by / figure.value) : "";
      difference.by = fmt::format("{:+.6g}{}, {:.6g} allowed", by, share, figure.tolerance);
    }
    all.push_back(std::move(difference));
  }
  return all;
}

std::vector<LockedResult> updated(std::vector<LockedResult> lock, const std::vector<LockedResult> &found) {
  for (const LockedResult &result : found) {
    const auto place = std::ranges::find(lock, result.report, &LockedResult::report);
    if (place == lock.end()) {
      lock.push_back(result);
      continue;
    }
    if (!place->sha256.empty()) place->sha256 = result.sha256;
    std::erase_if(place->figures, [&](const LockedFigure &old) { return find_figure(result, old.name) == nullptr; });
    for (LockedFigure &figure : place->figures) figure.value = find_figure(result, figure.name)->value;
  }
  return lock;
}

} // namespace edgec

#include "batch/sweep_job.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "job/formats.h"
#include "job/version.h"
#include "support/file.h"
#include "support/nearest.h"

namespace edgec {
namespace {

/// What a sweep says itself, or what has no place in a job that nobody watches.
bool not_for_sweeps(std::string_view key) {
  constexpr std::string_view keys[] = {"output", "force",       "report",  "json",  "dry-run", "pareto",
                                       "help",   "save-recipe", "verbose", "quiet", "color",   "no-progress"};
  return std::ranges::find(keys, key) != std::end(keys);
}

/// Options that no result depends on.
bool decides_nothing(std::string_view key) { return key == "threads" || key == "max-memory"; }

Status assign(Options &options, const OptionTexts &texts) {
  std::vector<std::string> keys;
  for (const Option &option : options.all())
    if (!option.is_argument() && !not_for_sweeps(option.key())) keys.push_back(option.key());
  for (const auto &[key, values] : texts) {
    if (std::ranges::find(keys, key) == keys.end())
      return usage_error(
          fmt::format("'{}' is not an option of 'edgec compress' for a sweep{}", key, did_you_mean(key, keys)));
    if (!values.empty()) EDGEC_CHECK(options.find(key)->assign(values));
  }
  return {};
}

bool has_effect(const Option &option, const Options &all) {
  return option.given && std::ranges::all_of(option.needed, [&](const OptionNeed &need) { return need.holds(all); });
}

/// As it is given again: its value in the one form that the program knows, where it has one.
std::vector<std::string> values_of(const Option &option) {
  const std::string value = option.is_list() ? std::string() : option.value_text();
  return value.empty() ? option.texts : std::vector{value};
}

void add_words(const Option &option, std::vector<std::string> &words) {
  if (option.is_switch()) return words.push_back(option.shown());
  for (const std::string &value : values_of(option)) {
    const bool joined = value.starts_with('-') || value.empty();
    words.push_back(joined ? option.shown() + '=' + value : option.shown());
    if (!joined) words.push_back(value);
  }
}

} // namespace

Result<SweepJob> JobMaker::job(const Combination &combination) {
  const std::shared_ptr<Options> options = make_();
  EDGEC_CHECK(assign(*options, combination.options));
  SweepJob job;
  job.network = combination.network;
  job.words = {combination.network};
  EDGEC_ASSIGN(const std::string network, identities_.of(combination.network));
  std::set<std::string> decides;
  for (const Option &option : options->all()) {
    if (!has_effect(option, *options) || (option.is_switch() && option.value_text().empty())) continue;
    add_words(option, job.words);
    const std::string key = option.key();
    const std::string text = option.is_switch() ? "true" : fmt::format("{}", fmt::join(values_of(option), " "));
    if (std::ranges::find(varied_, key) != varied_.end()) job.shown.emplace_back(key, text);
    if (decides_nothing(key)) continue;
    for (const std::string &value : option.texts) {
      EDGEC_ASSIGN(const auto file, identities_.of_value(value));
      decides.insert(fmt::format("{}={}", key, file.value_or(text)));
    }
    if (const FormatDef *format = key == "format" ? find_format(text) : nullptr)
      job.output = "model" + std::string(format->ending);
  }
  const std::string text = fmt::format("edgec-job/1 {}\n{}\n{}", version(), network, fmt::join(decides, "\n"));
  job.key = sha256(std::as_bytes(std::span(text))).substr(0, 32);
  return job;
}

Result<std::vector<SweepJob>> jobs_of(const std::vector<Combination> &combinations, JobMaker &maker) {
  std::vector<SweepJob> jobs;
  std::set<std::string> keys;
  for (const Combination &combination : combinations) {
    EDGEC_ASSIGN(SweepJob job, maker.job(combination));
    if (keys.insert(job.key).second) jobs.push_back(std::move(job));
  }
  return jobs;
}

Result<std::vector<SweepJob>> jobs_of(const SweepFile &sweep, const MakeOptions &options) {
  EDGEC_ASSIGN(const std::vector<Combination> combinations, sweep.combinations());
  JobMaker maker(options, sweep.varied());
  return jobs_of(combinations, maker);
}

} // namespace edgec

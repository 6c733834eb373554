#include "job/answer_changes.h"

#include <algorithm>
#include <map>

#include "support/base64.h"

namespace edgec {
namespace {

constexpr std::size_t most_pairs = 200, most_shown = 12;
constexpr int picture_side = 64, picture_quality = 80;
constexpr std::size_t most_picture_bytes = 24'000; // of all, as base64

std::string class_name(const Dataset &data, std::size_t number) {
  const bool named = data.labels && number < data.labels->names.size();
  return named ? data.labels->names[number] : std::to_string(number);
}

/// As people find it: the name of its file, else where its call stands.
std::string sample_name(const SampleSet &samples, std::size_t row) {
  const std::string file = samples.file(row).filename().string();
  if (!file.empty()) return file;
  const std::string call = std::filesystem::path(samples.label(row / samples.batch())).filename().string();
  return samples.batch() == 1 ? call : call + " row " + std::to_string(row % samples.batch());
}

std::vector<ClassPair> pairs_of(const std::vector<ChangedAnswer> &changed, const Dataset &data) {
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> counts;
  for (const ChangedAnswer &answer : changed) ++counts[{answer.before, answer.after}];
  std::vector<ClassPair> pairs;
  for (const auto &[classes, count] : counts)
    pairs.push_back({class_name(data, classes.first), class_name(data, classes.second), count});
  std::ranges::stable_sort(pairs, std::ranges::greater(), &ClassPair::count);
  if (pairs.size() > most_pairs) pairs.resize(most_pairs);
  return pairs;
}

std::optional<std::int64_t> label_of(const Dataset &data, std::size_t row) {
  if (!data.labels || row >= data.labels->classes.size()) return std::nullopt;
  return data.labels->classes[row];
}

/// Right answers lost and gained.
void count_right(const std::vector<ChangedAnswer> &changed, const Dataset &data, AnswerChanges &changes) {
  if (!data.labels) return;
  changes.lost = changes.gained = 0;
  for (const ChangedAnswer &answer : changed) {
    const auto label = label_of(data, answer.row);
    if (label == static_cast<std::int64_t>(answer.before)) ++*changes.lost;
    if (label == static_cast<std::int64_t>(answer.after)) ++*changes.gained;
  }
}

} // namespace

std::optional<AnswerChanges> answer_changes(const Fidelity &fidelity, const Dataset &data) {
  if (!fidelity.compared || !data.samples || fidelity.answers != fidelity.samples || fidelity.answers == 0)
    return std::nullopt;
  AnswerChanges changes;
  changes.samples = fidelity.samples;
  changes.changed = fidelity.samples - fidelity.agreeing;
  changes.pairs = pairs_of(fidelity.changed, data);
  count_right(fidelity.changed, data, changes);
  std::vector<ChangedAnswer> surest = fidelity.changed;
  std::ranges::stable_sort(surest, std::ranges::greater(), &ChangedAnswer::lead);
  std::size_t bytes = 0;
  for (const ChangedAnswer &answer : std::span(surest).first(std::min(most_shown, surest.size()))) {
    const auto label = label_of(data, answer.row);
    ChangedSample sample{.name = sample_name(*data.samples, answer.row),
                         .before = class_name(data, answer.before),
                         .after = class_name(data, answer.after),
                         .right = label && *label >= 0 ? class_name(data, static_cast<std::size_t>(*label)) : "",
                         .lead = answer.lead,
                         .lead_now = answer.lead_now,
                         .picture = {}};
    if (const auto picture = data.samples->picture(answer.row))
      sample.picture = base64(encode_jpeg(thumbnail(*picture, picture_side), picture_quality));
    if (bytes + sample.picture.size() > most_picture_bytes) sample.picture.clear();
    bytes += sample.picture.size();
    changes.shown.push_back(std::move(sample));
  }
  return changes;
}

} // namespace edgec

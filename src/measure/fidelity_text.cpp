#include "measure/fidelity_text.h"

#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;

/// Standard error of a share, in points: half of Wilson's interval (1927) over its z, which of a few samples that all
/// agree does not say that no other outcome was possible.
double standard_error(double share, std::size_t samples) {
  constexpr double z = 1.96;
  const auto n = static_cast<double>(samples);
  if (samples == 0) return 0;
  return 100 * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n);
}

std::string share_line(const char *what, std::size_t count, std::size_t samples) {
  const double share = samples == 0 ? 0 : static_cast<double>(count) / static_cast<double>(samples);
  return fmt::format("  {:<12}{:.2f} %  {} of {}, standard error {:.1f} points\n", what, 100 * share, count, samples,
                     standard_error(share, samples));
}

Json number_or_null(std::optional<double> value) { return value && std::isfinite(*value) ? Json(*value) : Json(); }

Json to_json(const OutputNoise &output) {
  return {{"name", output.name},
          {"sqnr_db", number_or_null(output.noise.sqnr_db())},
          {"equal", output.noise.noise == 0},
          {"max_error", number_or_null(output.noise.max_error)},
          {"max_reference", output.noise.max_reference}};
}

Json to_json(const Score &score) {
  Json json{{"name", score.metric}, {"value", number_or_null(score.test)}};
  if (score.reference) json["reference"] = number_or_null(score.reference);
  if (score.upper_drop) json["upper_drop"] = *score.upper_drop;
  return json;
}

} // namespace

std::string sqnr_text(const Noise &noise) {
  const auto sqnr = noise.sqnr_db();
  return sqnr ? fmt::format("{:.1f} dB", *sqnr) : "equal";
}

std::string accuracy_text(const Accuracy &accuracy) {
  return share_line("top-1", accuracy.top1, accuracy.samples) + share_line("top-5", accuracy.top5, accuracy.samples);
}

std::string score_text(const Score &score) {
  std::string text = fmt::format("  {:<12}{} {:.6g}", "metric", score.metric, score.test);
  if (score.reference) text += fmt::format(", of the reference {:.6g}", *score.reference);
  if (score.upper_drop)
    text += fmt::format("; with 95 % confidence at most {:.2g} points are lost", 100 * *score.upper_drop);
  return text + "\n";
}

std::string fidelity_text(const Fidelity &fidelity) {
  std::string text;
  if (fidelity.agreement()) text += share_line("agreement", fidelity.agreeing, fidelity.answers);
  const std::string median = fidelity.median_sqnr_db ? fmt::format("{:.1f} dB", *fidelity.median_sqnr_db) : "equal";
  text += fmt::format("  {:<12}{} of the logits {}; median sample {}\n", "SQNR", sqnr_text(fidelity.logits.noise),
                      fidelity.logits.name, median);
  for (const OutputNoise &output : fidelity.outputs)
    text += fmt::format("  {:<12}{}: {}, largest error {:.3g} of {:.3g}\n", "output", output.name,
                        sqnr_text(output.noise), output.noise.max_error, output.noise.max_reference);
  return text;
}

Json to_json(const Accuracy &accuracy) {
  return {{"samples", accuracy.samples}, {"top1", accuracy.top1_share()}, {"top5", accuracy.top5_share()}};
}

Json to_json(const Fidelity &fidelity) {
  Json object{{"samples", fidelity.samples}};
  if (fidelity.foreign_labels > 0) object["foreign_labels"] = fidelity.foreign_labels;
  if (fidelity.test_accuracy) {
    object["top1"] = fidelity.test_accuracy->top1_share();
    object["top5"] = fidelity.test_accuracy->top5_share();
  }
  if (fidelity.score) object["metric"] = to_json(*fidelity.score);
  if (!fidelity.compared) return object;
  if (fidelity.reference_accuracy) {
    object["reference_top1"] = fidelity.reference_accuracy->top1_share();
    object["reference_top5"] = fidelity.reference_accuracy->top5_share();
  }
  object["agreement"] = number_or_null(fidelity.agreement());
  object["agreement_se"] =
      fidelity.agreement() ? Json(standard_error(*fidelity.agreement(), fidelity.answers) / 100) : Json();
  object["sqnr_db"] = number_or_null(fidelity.logits.noise.sqnr_db());
  object["sqnr_db_median_sample"] = number_or_null(fidelity.median_sqnr_db);
  object["logits"] = fidelity.logits.name;
  object["outputs"] = Json::array();
  for (const OutputNoise &output : fidelity.outputs) object["outputs"].push_back(to_json(output));
  return object;
}

} // namespace edgec

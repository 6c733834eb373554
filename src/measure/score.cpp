#include "measure/score.h"

#include "measure/confidence.h"

namespace edgec {
namespace {

std::optional<Score> share_right(const Fidelity &fidelity, std::string_view name, double (Accuracy::*share)() const,
                                 const Changes &changes) {
  if (!fidelity.test_accuracy) return std::nullopt;
  Score score{.metric = std::string(name),
              .test = ((*fidelity.test_accuracy).*share)(),
              .answers = fidelity.test_accuracy->samples};
  if (!fidelity.reference_accuracy) return score;
  score.reference = ((*fidelity.reference_accuracy).*share)();
  score.upper_drop = upper_loss(changes.lost, changes.gained, score.answers);
  return score;
}

std::optional<Score> share_agreeing(const Fidelity &fidelity) {
  if (!fidelity.agreement()) return std::nullopt;
  return Score{.metric = "agreement",
               .test = *fidelity.agreement(),
               .reference = 1,
               .upper_drop = upper_share(fidelity.answers - fidelity.agreeing, fidelity.answers),
               .answers = fidelity.answers};
}

} // namespace

std::optional<Score> score_of(const Fidelity &fidelity, std::string_view metric) {
  if (metric == "top1") return share_right(fidelity, metric, &Accuracy::top1_share, fidelity.top1_changes);
  if (metric == "top5") return share_right(fidelity, metric, &Accuracy::top5_share, fidelity.top5_changes);
  if (metric == "agreement") return share_agreeing(fidelity);
  if (metric == "sqnr" && fidelity.compared)
    return Score{.metric = "sqnr", .test = fidelity.sqnr_db(), .answers = fidelity.samples};
  return std::nullopt;
}

std::optional<Drop> drop_of(const Fidelity &fidelity) {
  const auto score = fidelity.score ? fidelity.score : score_of(fidelity, "agreement");
  if (!score || !score->reference) return std::nullopt;
  Drop drop{100 * (*score->reference - score->test), std::nullopt, score->answers};
  if (score->upper_drop) drop.bound = 100 * *score->upper_drop;
  return drop;
}

} // namespace edgec

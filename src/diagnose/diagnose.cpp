#include "diagnose/diagnose.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "calibrate/calibrate.h"
#include "support/pattern.h"

namespace edgec {
namespace {

constexpr double notable = 0.1; // of all error, as noise power
constexpr double same_db = 3;   // the trial network is the file's, within the noise of rounding halfway

double noise_of(double db) { return std::isinf(db) && db > 0 ? 0 : std::pow(10, -db / 10); }

std::string role_name(RoundedTensor::Role role) {
  return role == RoundedTensor::Role::weight ? "weight" : role == RoundedTensor::Role::bias ? "bias" : "value";
}

class Doctor {
public:
  Doctor(const Model &reference, Trials trials, const OpRegistry &ops, const SampleSet &samples,
         const DiagnoseOptions &options)
      : reference_(reference), trials_(std::move(trials)), ops_(ops), samples_(samples), options_(options) {}

  Result<Diagnosis> run(Fidelity of_file) {
    found_.fidelity = std::move(of_file);
    const std::size_t count = trials_.tensors().size();
    EDGEC_ASSIGN(found_.real_db, db_with(std::vector<bool>(count, false)));
    EDGEC_ASSIGN(found_.rounded_db, db_with(std::vector<bool>(count, true)));
    EDGEC_ASSIGN(seen_, ranges());
    EDGEC_CHECK(try_each());
    EDGEC_CHECK(remove_worst());
    EDGEC_CHECK(gather_causes());
    note_doubts();
    return std::move(found_);
  }

private:
  const Model &reference_;
  Trials trials_;
  const OpRegistry &ops_;
  const SampleSet &samples_;
  const DiagnoseOptions &options_;
  Diagnosis found_;
  RangeStatistics seen_;
  std::vector<std::size_t> places_; // of found_.tensors among those of the trials

  /// SQNR of the output that suffers most. What cannot be run any more, or gives no numbers, has lost everything.
  Result<double> db_with(const std::vector<bool> &rounded) {
    const auto fidelity = measure_fidelity(&reference_.graph, trials_.with(rounded), ops_, samples_, options_.running);
    if (fidelity) return fidelity->sqnr_db();
    if (fidelity.error().code == Code::bad_input) return -std::numeric_limits<double>::infinity();
    return fidelity.error();
  }

  /// Of values in the float network.
  Result<RangeStatistics> ranges() {
    CalibrationOptions options;
    std::set<ValueId> wanted;
    for (const RoundedTensor &tensor : trials_.tensors()) {
      if (!tensor.is_constant()) wanted.insert(tensor.reals);
      wanted.insert(tensor.part_reals.begin(), tensor.part_reals.end());
    }
    const Graph graph = trials_.with(std::vector<bool>(trials_.tensors().size(), false));
    std::erase_if(wanted, [&](ValueId id) { return !graph.alive(id) || graph.constant(id) != nullptr; });
    options.ranges.assign(wanted.begin(), wanted.end());
    options.channel_spreads = options.ranges;
    options.histograms = true;
    options.folds = 1;
    options.threads = options_.running.threads;
    options.isa = options_.running.isa;
    EDGEC_ASSIGN(Calibration found, calibrate(graph, ops_, samples_, options_.running.indices, options));
    return std::move(found.folds.front());
  }

  Status try_each() {
    const auto &tensors = trials_.tensors();
    std::vector<std::pair<double, std::size_t>> order;
    std::vector<TensorFinding> findings(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (!tensors[i].can_be_real()) {
        ++found_.untried;
        continue;
      }
      std::vector<bool> alone(tensors.size(), false);
      alone[i] = true;
      TensorFinding &one = findings[i];
      one = {tensors[i].node, tensors[i].op, tensors[i].name, role_name(tensors[i].role),
             std::string(name(tensors[i].dtype))};
      EDGEC_ASSIGN(one.alone_db, db_with(alone));
      one.without_db = found_.rounded_db;
      one.cause = find_cause(tensors[i], seen_);
      order.emplace_back(one.alone_db, i);
      if (options_.progress) options_.progress(i + 1, tensors.size());
    }
    std::ranges::stable_sort(order, {}, &std::pair<double, std::size_t>::first);
    for (const auto &[db, i] : order) {
      places_.push_back(i);
      found_.tensors.push_back(std::move(findings[i]));
    }
    return {};
  }

  Status remove_worst() {
    for (std::size_t k = 0; k < std::min(options_.most_removed, found_.tensors.size()); ++k) {
      std::vector<bool> others(trials_.tensors().size(), true);
      others[places_[k]] = false;
      EDGEC_ASSIGN(found_.tensors[k].without_db, db_with(others));
    }
    return {};
  }

  Status gather_causes() {
    std::map<CauseKind, CauseFinding> causes;
    for (std::size_t k = 0; k < found_.tensors.size(); ++k) {
      if (noise_of(found_.tensors[k].alone_db) == 0) continue;
      CauseFinding &cause = causes[found_.tensors[k].cause.kind];
      cause.kind = found_.tensors[k].cause.kind;
      cause.tensors.push_back(k);
    }
    double all = 0;
    for (auto &[kind, cause] : causes) {
      std::vector<bool> alone(trials_.tensors().size(), false), without(trials_.tensors().size(), true);
      for (const std::size_t k : cause.tensors) alone[places_[k]] = true, without[places_[k]] = false;
      EDGEC_ASSIGN(cause.alone_db, db_with(alone));
      EDGEC_ASSIGN(cause.without_db, db_with(without));
      all += std::min(noise_of(cause.alone_db), 1e30);
      found_.causes.push_back(cause);
    }
    std::ranges::stable_sort(found_.causes, {}, &CauseFinding::alone_db);
    bool broken = false; // comes before what more bits would better
    for (CauseFinding &cause : found_.causes) {
      cause.matters = std::min(noise_of(cause.alone_db), 1e30) >= notable * all;
      broken = broken || (cause.matters && cause.kind != CauseKind::coarse);
    }
    for (CauseFinding &cause : found_.causes)
      if (cause.kind == CauseKind::coarse && broken) cause.matters = false;
    std::ranges::stable_partition(found_.causes, &CauseFinding::matters);
    return {};
  }

  void note_doubts() {
    constexpr double good_db = 40;
    if (found_.untried > 0)
      found_.notes.push_back(fmt::format("{} of {} rounded constants have no counterpart in the float network (merged, "
                                         "transposed or renamed layers) and stay rounded in every trial",
                                         found_.untried, trials_.tensors().size()));
    if (found_.real_db < std::min(good_db, found_.rounded_db))
      found_.notes.push_back(fmt::format("with nothing rounded the file still differs, {:.1f} dB: it was pruned or "
                                         "changed otherwise, too",
                                         found_.real_db));
    if (found_.fidelity.compared && std::abs(found_.rounded_db - found_.fidelity.sqnr_db()) > same_db)
      found_.notes.push_back(fmt::format("the trials' network with everything rounded has {:.1f} dB, the file {:.1f}: "
                                         "integer operators of its own compute otherwise",
                                         found_.rounded_db, found_.fidelity.sqnr_db()));
  }
};

} // namespace

std::vector<std::string> Diagnosis::cure() const {
  std::vector<std::string> words;
  std::set<std::string> nodes;
  const auto add = [&](const std::string &word) {
    if (std::ranges::find(words, word) == words.end()) words.push_back(word);
  };
  for (const CauseFinding &cause : causes) {
    const bool half = tensors[cause.tensors.front()].dtype.ends_with("float16");
    if (!cause.matters || (half && cause.kind == CauseKind::coarse)) continue;
    const CauseDef &def = definition(cause.kind);
    for (std::size_t begin = 0; begin < def.cure.size();) {
      const std::size_t end = std::min(def.cure.find(" --", begin), def.cure.size());
      add(std::string(def.cure.substr(begin, end - begin)));
      begin = end + 1;
    }
    if (def.excludes)
      for (const std::size_t k : cause.tensors)
        for (const std::string &node : tensors[k].cause.nodes) nodes.insert(Pattern::quoted(node));
  }
  if (!nodes.empty()) words.push_back(fmt::format("--exclude {}", fmt::join(nodes, "|")));
  return words;
}

Result<Diagnosis> diagnose(const Model &reference, const Model &test, const OpRegistry &ops, const SampleSet &samples,
                           const DiagnoseOptions &options) {
  auto fidelity = measure_fidelity(&reference.graph, test.graph, ops, samples, options.running);
  if (!fidelity && fidelity.error().code != Code::bad_input) return fidelity.error();
  EDGEC_ASSIGN(Trials trials, Trials::make(reference, test, ops));
  if (trials.tensors().empty())
    return bad_input(
        "nothing in it is rounded: no QuantizeLinear, DequantizeLinear or half precision with a fixed scale");
  Doctor doctor(reference, std::move(trials), ops, samples, options);
  Fidelity broken;
  broken.samples = options.running.indices.size();
  EDGEC_ASSIGN(Diagnosis found, doctor.run(fidelity ? *std::move(fidelity) : broken));
  if (!fidelity) found.notes.insert(found.notes.begin(), "the file gives no numbers: " + fidelity.error().message);
  return found;
}

} // namespace edgec

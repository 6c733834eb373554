#include "cli/compressor.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include "cli/console.h"
#include "cli/proof.h"
#include "ops/registry.h"
#include "passes/rate/round_weights.h"
#include "passes/weights.h"
#include "runtime/parts.h"

namespace edgec {
namespace {

using Passes = std::vector<const PassDef *>;

constexpr std::string_view channel_pass = "prune-channels", low_rank_pass = "low-rank";
constexpr std::string_view magnitude_pass = "prune-magnitude", prune_pass = "prune-second-order", share_pass = "share-weights",
                           refit_share_pass = "share-second-order", network_share_pass = "share-network", hash_pass = "share-hash",
                           int8_pass = "quantize-int8", rate_pass = "round-weights";

/// Before all others, which then keep to what the smaller network computes.
Passes structural_passes(const LossyOptions &lossy) {
  Passes passes;
  if (lossy.prune_channels > 0 || lossy.max_macs > 0) passes.push_back(find_pass(channel_pass));
  if (lossy.low_rank > 0) passes.push_back(find_pass(low_rank_pass));
  return passes;
}

/// Pruning before sharing, since codebooks keep zeros; both before int8, which then corrects what they shifted.
Passes lossy_passes(const LossyOptions &lossy) {
  Passes passes;
  if (lossy.prune_ratio > 0 || lossy.prune_m > 0)
    passes.push_back(find_pass(lossy.prune_by_magnitude ? magnitude_pass : prune_pass));
  if (lossy.share_bits > 0)
    passes.push_back(find_pass(lossy.share_network ? network_share_pass : lossy.prune_by_magnitude ? share_pass : refit_share_pass));
  if (lossy.share_hash > 0) passes.push_back(find_pass(hash_pass));
  std::erase(passes, nullptr);
  return passes;
}

bool contains(const std::vector<std::string> &names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Bytes of samples' values that fit beside the program, both networks (with weights packed for kernels), what each tensor
/// takes, and the second moments of the widest layer.
std::size_t value_memory(const Graph &graph, std::size_t most) {
  constexpr std::size_t program = std::size_t{64} << 20, per_tensor = std::size_t{64} << 10, copies = 4;
  constexpr std::size_t least = std::size_t{16} << 20;
  std::size_t taken = program + copies * constant_bytes(graph), widest = 0;
  for (const NodeId id : graph.nodes()) taken += graph.node(id).outputs.size() * per_tensor;
  for (const WeightTensor &weight : float_weights(graph, {.ops = all_ops()}, {})) {
    const Tensor &data = *graph.constant(weight.value);
    const std::int64_t rows = data.dims[static_cast<std::size_t>(weight.readers.front().info.channel_axis)];
    widest = std::max(widest, static_cast<std::size_t>(data.size() / std::max<std::int64_t>(rows, 1)));
  }
  taken += copies * widest * widest * sizeof(double);
  return std::max(most - std::min(most, taken), least);
}

class Compressor {
public:
  Compressor(const Graph &source, const CompressRequest &request, const Dataset &data)
      : request_(request), data_(data), reference_(request.reference ? *request.reference : source), context_{.ops = all_ops(),
                                                 .lossy = request.lossy,
                                                 .scope = request.scope,
                                                 .calibration = data.samples.get(),
                                                 .samples = data.indices,
                                                 .threads = request.threads,
                                                 .isa = request.isa,
                                                 .seed = request.seed,
                                                 .memory = value_memory(source, request.max_memory),
                                                 .channel_multiple = request.channel_multiple},
        result_{source, {}, std::nullopt, std::nullopt, {}} {
    if (ProgressLine *line = request.progress)
      context_.progress = [line](std::string_view what, std::size_t done, std::size_t all) { line->show(what, done, all); };
  }

  Result<Compressed> run() {
    const auto exact = exact_pipeline();
    EDGEC_CHECK(run_exact(exact));
    EDGEC_CHECK(run_passes(structural_passes(request_.lossy)));
    const Graph original = result_.graph; // shares its tensors
    EDGEC_CHECK(run_passes(lossy_passes(request_.lossy), &original));
    result_.refit = std::ranges::any_of(result_.passes, [](const PassFigures &pass) {
      constexpr std::string_view fitting[] = {channel_pass, low_rank_pass, prune_pass, refit_share_pass, network_share_pass, hash_pass};
      return pass.changed && std::ranges::find(fitting, pass.name) != std::end(fitting);
    });
    if (request_.int8 && !stopped_ && !contains(request_.passes.skip, int8_pass)) EDGEC_CHECK(run_int8(original));
    if (request_.rate && !request_.int8 && !stopped_) EDGEC_CHECK(run_rate(original));
    EDGEC_CHECK(run_exact(exact));
    return std::move(result_);
  }

private:
  const CompressRequest &request_;
  const Dataset &data_;
  const Graph &reference_;
  PassContext context_;
  Compressed result_;
  bool stopped_ = false; // --stop-after was reached

  /// Tells of the parts of a search.
  [[nodiscard]] Progress stages() const {
    ProgressLine *line = request_.progress;
    if (line == nullptr) return nullptr;
    return [line](std::string_view what, std::size_t done, std::size_t all) { line->stage(what, done, all); };
  }

  /// `original`: what they are fitted to, where passes before may have changed weights.
  Status run_passes(std::span<const PassDef *const> passes, const Graph *original = nullptr) {
    if (stopped_ || passes.empty()) return {};
    PassContext context = context_;
    context.original = original;
    EDGEC_ASSIGN(const PipelineReport report,
                 run_pipeline(result_.graph, passes, context, request_.passes.pipeline_options(passes)));
    return finish(passes, report);
  }

  /// Exact passes are proven on the first samples.
  Status run_exact(std::span<const PassDef *const> passes) {
    if (stopped_) return {};
    if (request_.progress) request_.progress->begin("rewriting");
    constexpr std::size_t few = 4;
    const Graph before = result_.graph;
    FidelityOptions running{.threads = request_.threads, .isa = request_.isa};
    running.indices = std::span(data_.indices).first(std::min(few, data_.indices.size()));
    const Proof proof{before, data_, running};
    const auto run = request_.passes.check_each ? run_checked : run_proven;
    EDGEC_ASSIGN(const PipelineReport report, run(result_.graph, passes, context_,
                                                  request_.passes.pipeline_options(passes), proof, result_.warnings));
    return finish(passes, report);
  }

  Status finish(std::span<const PassDef *const> passes, const PipelineReport &report) {
    stopped_ = request_.passes.stops_in(passes);
    for (PassFigures &pass : pass_figures(report)) merge(std::move(pass));
    return {};
  }

  /// A pass that ran before and after the lossy ones is one line of the report.
  void merge(PassFigures pass) {
    const auto found = std::ranges::find(result_.passes, pass.name, &PassFigures::name);
    if (found == result_.passes.end()) {
      result_.passes.push_back(std::move(pass));
      return;
    }
    found->changed = found->changed || pass.changed;
    found->seconds += pass.seconds;
    found->notes.insert(found->notes.end(), pass.notes.begin(), pass.notes.end());
  }

  Status run_rate(const Graph &original) {
    PassFigures figures{std::string(rate_pass), true, 0, {}};
    PassContext context = context_;
    if (!lossy_passes(request_.lossy).empty()) context.original = &original;
    context.note = [&](PassNote note) { figures.notes.push_back({note.node, note.text, note.skipped}); };
    RateRequest wanted = *request_.rate;
    wanted.cross_fit = request_.cross_fit;
    wanted.progress = stages();
    const auto begin = std::chrono::steady_clock::now();
    EDGEC_ASSIGN(result_.rate, round_weights(result_.graph, reference_, context, wanted));
    result_.graph = std::move(result_.rate->graph);
    result_.curve = result_.rate->curve;
    result_.smallest = result_.rate->smallest;
    result_.interrupted = result_.rate->interrupted;
    figures.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    result_.passes.push_back(std::move(figures));
    stopped_ = request_.passes.stop_after == rate_pass;
    return {};
  }

  Status run_int8(const Graph &original) {
    PassFigures figures{std::string(int8_pass), false, 0, {}};
    PassContext context = context_;
    if (!lossy_passes(request_.lossy).empty()) context.original = &original;
    context.note = [&](PassNote note) { figures.notes.push_back({note.node, note.text, note.skipped}); };
    Int8Request wanted;
    wanted.reference = &reference_;
    wanted.cross_fit = request_.cross_fit;
    wanted.border_nodes = request_.border_nodes;
    wanted.rate = request_.rate;
    if (wanted.rate) wanted.rate->progress = stages();
    wanted.progress = context.progress;
    const auto begin = std::chrono::steady_clock::now();
    EDGEC_ASSIGN(result_.int8, quantize_int8(result_.graph, context, wanted));
    figures.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    figures.changed = result_.int8->layers > 0;
    if (const std::size_t left = result_.int8->left; left > 0)
      result_.warnings.push_back(
          fmt::format("{} of {} layers stay float, and what is between them: all in codes, QuantizeLinear and "
                      "DequantizeLinear would make the file larger (a file OUT.edgec has none)",
                      left, left + result_.int8->layers));
    result_.curve = result_.int8->curve;
    result_.smallest = result_.int8->smallest;
    result_.interrupted = result_.int8->interrupted;
    result_.passes.push_back(std::move(figures));
    EDGEC_CHECK(result_.graph.sort());
    stopped_ = request_.passes.stop_after == int8_pass;
    return {};
  }
};

} // namespace

std::vector<std::string> plan_of(const CompressRequest &request) {
  Passes passes;
  const auto exact = exact_pipeline();
  passes.insert(passes.end(), exact.begin(), exact.end());
  for (const PassDef *pass : structural_passes(request.lossy)) passes.push_back(pass);
  for (const PassDef *pass : lossy_passes(request.lossy)) passes.push_back(pass);
  if (request.int8) passes.push_back(find_pass(int8_pass));
  else if (request.rate) passes.push_back(find_pass(rate_pass));
  passes.insert(passes.end(), exact.begin(), exact.end());
  std::vector<std::string> names;
  for (const PassDef *pass : passes) {
    if (pass == nullptr || contains(request.passes.skip, pass->name)) continue;
    names.emplace_back(pass->name);
    if (pass->name == request.passes.stop_after) break;
  }
  return names;
}

std::vector<ProgressStep> steps_of(const CompressRequest &request) {
  const LossyOptions &lossy = request.lossy;
  std::vector<ProgressStep> steps{{"rewriting", 2}};
  const auto add = [&](bool wanted, std::initializer_list<ProgressStep> more) {
    if (wanted) steps.insert(steps.end(), more);
  };
  const bool int8 = request.int8, judged = int8 && lossy.second_order && lossy.equalize == Choice::automatic;
  add(lossy.prune_channels > 0 || lossy.max_macs > 0, {{"measuring layers", 5}, {"fitting layers", 5}});
  add((lossy.prune_ratio > 0 || lossy.prune_m > 0) && !lossy.prune_by_magnitude,
      {{"calibrating", 2}, {"looking at layers", 5}, {"pruning layers", 8}});
  add(lossy.share_bits > 0 && !lossy.share_network && !lossy.prune_by_magnitude, {{"sharing weights", 8}});
  add(judged, {{"calibrating", 1}, {"calibrating", 1}});
  for (int fit = 0; fit < 4; ++fit) add(judged, {{"fitting layers", .5}});
  add(int8, {{"calibrating", 2}});
  add(request.rate.has_value(), {{"searching the rate", 60}});
  for (int fit = 0; fit < (request.cross_fit ? 3 : 1); ++fit) add(int8 && !request.rate, {{"fitting layers", 8}});
  add(true, {{"rewriting", 1}});
  return steps;
}

Result<Compressed> compress(const Graph &source, const CompressRequest &request, const Dataset &data) {
  return Compressor(source, request, data).run();
}

} // namespace edgec

// Moves padding into the operator that slides a window over it:
//
//     a = Pad<pads = 0,0,1,1, 0,0,1,1>(x)  y = Conv(a, w)      becomes      y = Conv<pads = [1, 1, 1, 1]>(x, w)
//
// Pad must add constants at the spatial axes only, take nothing off, and have no other reader. The constant must be
// what the operator itself pads with: 0 for Conv; 0 for AveragePool, which then counts it (count_include_pad = 1; what
// it padded before must have counted too, or be nothing); -infinity for MaxPool. Not for auto_pad = SAME (it depends on
// the padded size), ceil_mode = 1 (its last window may begin in the padding), nor where a pool's padding reaches the
// size of its kernel (ONNX forbids it, and a window would see nothing but padding).
#include <algorithm>
#include <limits>

#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fuse-pad";

using Ints = std::vector<std::int64_t>;

/// Pads of the spatial axes, all first ends and then all last ends, as Conv has them; nothing where Pad does more.
std::optional<Ints> spatial_pads(const Graph &graph, const Node &pad, std::size_t rank) {
  const auto given = pad.input(1).valid() ? integers(graph, pad.input(1)) : pad.get_ints("pads");
  if (!given || rank < 3) return std::nullopt;
  Ints axes;
  if (pad.input(3).valid()) {
    const auto chosen = integers(graph, pad.input(3));
    if (!chosen) return std::nullopt;
    axes = *chosen;
  } else {
    for (std::size_t i = 0; i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (given->size() != axes.size() * 2) return std::nullopt;
  const std::size_t spatial = rank - 2;
  Ints out(spatial * 2);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t axis = axes[i] < 0 ? axes[i] + static_cast<std::int64_t>(rank) : axes[i];
    const std::int64_t begin = (*given)[i], end = (*given)[i + axes.size()];
    if (begin == 0 && end == 0) continue;
    if (begin < 0 || end < 0 || axis < 2 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
    out[static_cast<std::size_t>(axis) - 2] = begin;
    out[static_cast<std::size_t>(axis) - 2 + spatial] = end;
  }
  return out;
}

/// What Pad adds; nothing where that is not constant.
std::optional<double> padded_value(const Graph &graph, const Node &pad) {
  if (pad.get_string("mode", "constant") != "constant") return std::nullopt;
  return pad.input(2).valid() ? scalar(graph, pad.input(2)) : std::optional<double>(pad.get_float("value", 0));
}

/// The pads that the operator has with those of Pad added; nothing where it cannot take them.
std::optional<Ints> joined(const Node &user, Ints pads, double value) {
  const bool conv = user.is("Conv"), average = user.is("AveragePool"), maximum = user.is("MaxPool");
  if (!conv && !average && !maximum) return std::nullopt;
  if (value != (maximum ? -std::numeric_limits<double>::infinity() : 0.0)) return std::nullopt;
  const std::string automatic = user.get_string("auto_pad", "NOTSET");
  if ((automatic != "NOTSET" && automatic != "VALID") || user.get_int("ceil_mode", 0) != 0) return std::nullopt;
  Ints own = automatic == "VALID" ? Ints{} : user.get_ints("pads");
  own.resize(pads.size());
  const bool padded = std::ranges::any_of(own, [](std::int64_t count) { return count != 0; });
  if (average && padded && user.get_int("count_include_pad", 0) == 0) return std::nullopt;
  const Ints kernel = user.get_ints("kernel_shape");
  for (std::size_t i = 0; i < pads.size(); ++i) {
    pads[i] += own[i];
    if (!conv && (kernel.size() * 2 != pads.size() || pads[i] >= kernel[i % kernel.size()])) return std::nullopt;
  }
  return pads;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &pad = graph.node(id);
    if (!pad.is("Pad") || !pad.input(0).valid()) continue;
    const NodeId next = graph.sole_user(pad.outputs[0]);
    const Type &x = graph.value(pad.inputs[0]).type;
    const auto rank = x.rank();
    if (!next.valid() || !rank || graph.node(next).input(0) != pad.outputs[0]) continue;
    if (x.quant != graph.value(pad.outputs[0]).type.quant) continue;
    const auto pads = spatial_pads(graph, pad, static_cast<std::size_t>(*rank));
    const auto value = padded_value(graph, pad);
    const auto all = pads && value ? joined(graph.node(next), *pads, *value) : std::nullopt;
    if (!all) continue;
    context.say(pass, pad.label(), "moved into " + graph.node(next).label());
    graph.set_attribute(next, "pads", *all);
    graph.remove_attribute(next, "auto_pad");
    if (graph.node(next).is("AveragePool")) graph.set_attribute(next, "count_include_pad", std::int64_t{1});
    graph.add_origins(next, std::vector(pad.origins));
    graph.replace_uses(pad.outputs[0], pad.inputs[0]);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef fuse_pad;
const PassDef fuse_pad{"fuse-pad", "Move constant padding into Conv, AveragePool and MaxPool", run};

} // namespace edgec::passes

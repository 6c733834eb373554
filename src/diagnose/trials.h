// A quantized network taken apart: each tensor that it rounds can be rounded or not, alone or with others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/clamp.h"
#include "ir/opdef.h"
#include "schemes/fitting/weights.h"

namespace edgec {

/// A tensor of which a file keeps codes or half precision.
struct RoundedTensor {
  enum class Role { weight, bias, value };
  Role role = Role::value;
  std::string name, node, op; ///< a value's node gives it, a constant's reads it
  DType dtype = DType::undefined;
  Quant quant;                     ///< of codes; no scales: half precision
  std::optional<WeightInfo> info;  ///< of the layer that reads a weight or a bias
  std::optional<Tensor> original;  ///< a constant's reals in the float network; nothing: it has none like it
  Tensor rounded;                  ///< a constant's reals in the file
  ValueId reals;                   ///< before rounding; a constant's: the file's reals (of Trials::graph())
  std::vector<ValueId> results;    ///< what stands for it after rounding
  std::optional<Clamp> clamp;      ///< of the activation that the codes' saturation does
  std::vector<std::string> parts;  ///< a Concat's: the nodes that give what it joins
  std::vector<ValueId> part_reals; ///< the same as values
  bool softmax = false;            ///< a Softmax reads it

  [[nodiscard]] bool is_constant() const { return role != Role::value; }
  [[nodiscard]] bool is_half() const { return quant.scales.empty(); }
  /// It can be left unrounded: what stands there in the float network is known.
  [[nodiscard]] bool can_be_real() const { return !is_constant() || original.has_value(); }
};

/// Written out, a file is a float network with QuantizeLinear and DequantizeLinear (Cast, of half precision) around
/// what it rounds. Unrounded, constants are those of the node of the same name in the float network, as it is stored or
/// after exact passes, whichever is more like the file; an activation that saturation does is put back.
class Trials {
public:
  /// Error (unsupported): `test` cannot be written out.
  static Result<Trials> make(const Model &reference, const Model &test, const OpRegistry &ops);

  [[nodiscard]] const std::vector<RoundedTensor> &tensors() const { return tensors_; }
  /// All is rounded as in the file; values of `tensors()` are of this graph.
  [[nodiscard]] const Graph &graph() const { return graph_; }
  /// The network in which these alone are rounded; what cannot be real is always.
  [[nodiscard]] Graph with(const std::vector<bool> &rounded) const;

private:
  friend class TrialBuilder;
  Graph graph_;
  std::vector<RoundedTensor> tensors_;
};

} // namespace edgec

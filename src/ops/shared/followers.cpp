#include "ops/shared/followers.h"

#include <limits>

#include "kernels/requantize.h"

namespace edgec::ops {
namespace {

using fast::FloatPostOp;
using Kind = FloatPostOp::Kind;

/// Clip's bounds: attributes before opset 11, constant operands since.
std::optional<std::pair<float, float>> clip_bounds(const Follower &follower) {
  float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();
  if (follower.opset < 11) return std::pair{follower.node.get_float("min", low), follower.node.get_float("max", high)};
  for (std::size_t i = 1; i < follower.inputs.size(); ++i) {
    if (!follower.inputs[i]) continue;
    const Tensor *bound = follower.constants[i];
    if (!bound || bound->dtype != DType::float32 || bound->size() != 1) return std::nullopt;
    (i == 1 ? low : high) = bound->as<float>()[0];
  }
  return std::pair{low, high};
}

bool same_shape(const Type &a, const Type &b) { return a.concrete() && a.concrete() == b.concrete(); }

/// One follower as a post-operation; `first_operand` is where its other operands begin among the kernel's inputs.
std::optional<FloatPostOp> float_post_op(const Follower &follower, std::size_t first_operand) {
  const Node &node = follower.node;
  if (!node.domain.empty() || follower.output.dtype != DType::float32 || follower.output.is_quantized())
    return std::nullopt;
  if (node.op == "Relu") return FloatPostOp{.kind = Kind::relu};
  if (node.op == "LeakyRelu") return FloatPostOp{.kind = Kind::leaky_relu, .alpha = node.get_float("alpha", 0.01F)};
  if (node.op == "Sigmoid") return FloatPostOp{.kind = Kind::sigmoid};
  if (node.op == "HardSwish") return FloatPostOp{.kind = Kind::hard_swish};
  if (node.op == "Clip" && follower.operand == 0) {
    const auto bounds = clip_bounds(follower);
    if (!bounds || !(bounds->first <= bounds->second)) return std::nullopt;
    return FloatPostOp{.kind = Kind::clip, .alpha = bounds->first, .beta = bounds->second};
  }
  if (node.op == "Add" && follower.inputs.size() == 2) {
    const Type *other = follower.inputs[1 - follower.operand];
    if (node.inputs[0] == node.inputs[1] || !other || other->is_quantized() || other->dtype != DType::float32 ||
        !same_shape(*other, follower.output))
      return std::nullopt;
    return FloatPostOp{.kind = Kind::add, .operand = first_operand};
  }
  return std::nullopt;
}

bool leaves_codes(const Follower &follower) {
  const Type &y = follower.output;
  if (!follower.node.domain.empty() || follower.operand != 0 || follower.inputs.empty() || !follower.inputs[0] ||
      !y.quant || !y.quant->is_per_tensor() || follower.inputs[0]->quant != y.quant ||
      follower.inputs[0]->dtype != y.dtype || bits(y.dtype) > 8)
    return false;
  const CodeRange range = CodeRange::of(y.dtype);
  const float scale = y.quant->scale();
  if (follower.node.op == "Relu") return y.quant->zero_point() == range.low;
  if (follower.node.op != "Clip") return false;
  const auto bounds = clip_bounds(follower);
  return bounds && static_cast<float>(range.low - y.quant->zero_point()) * scale >= bounds->first &&
         static_cast<float>(range.high - y.quant->zero_point()) * scale <= bounds->second;
}

} // namespace

std::vector<FloatPostOp> float_post_ops(const PrepareArgs &args) {
  std::vector<FloatPostOp> found;
  std::size_t operand = args.inputs.size();
  for (const Follower &follower : args.followers) {
    const auto op = float_post_op(follower, operand);
    if (!op) break;
    found.push_back(*op);
    operand += follower.inputs.size() - 1;
  }
  return found;
}

Result<Kernel> with_followers(const PrepareArgs &args,
                              const std::function<Result<Kernel>(std::span<const FloatPostOp>)> &prepare) {
  const std::vector<FloatPostOp> post_ops = float_post_ops(args);
  for (std::size_t count = post_ops.size();; --count) {
    Result<Kernel> kernel = prepare(std::span(post_ops).first(count));
    if (kernel) kernel->followers = count;
    if (kernel || count == 0) return kernel;
  }
}

std::size_t identity_followers(const PrepareArgs &args) {
  std::size_t count = 0;
  while (count < args.followers.size() && leaves_codes(args.followers[count])) ++count;
  return count;
}

} // namespace edgec::ops

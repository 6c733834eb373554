// DepthToSpace, SpaceToDepth, CenterCropPad, ReverseSequence: rearranged images and sequences.
#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer_blocks(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  const bool to_depth = args.node.is("SpaceToDepth");
  const std::int64_t block = args.node.get_int("blocksize", 0);
  if (block < 1 || block > 32768) return bad_input(fmt::format("a blocksize of {}", block));
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  if (in.shape->size() != 4) return bad_input(fmt::format("the operand has rank {}, not 4", in.shape->size()));
  Shape out = *in.shape;
  const auto scale = [&](Dim &dim, std::int64_t factor, bool up) -> Status {
    if (!dim.is_known()) return dim = Dim::unknown(), Status();
    std::int64_t size = dim.size;
    if (up && __builtin_mul_overflow(size, factor, &size)) return bad_input("a dim overflows");
    if (!up && size % factor != 0) return bad_input(fmt::format("{} does not divide by {}", size, factor));
    dim = Dim::known(up ? size : size / factor);
    return {};
  };
  EDGEC_CHECK(scale(out[1], block * block, to_depth));
  EDGEC_CHECK(scale(out[2], block, !to_depth));
  EDGEC_CHECK(scale(out[3], block, !to_depth));
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

/// Both are a reshape to six axes, a transpose and a reshape: the operand read in strides.
Result<std::vector<RuntimeValue>> blocks_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_blocks));
  const Tensor &in = *args.inputs[0];
  const std::int64_t b = args.node.get_int("blocksize", 0), n = in.dims[0], c = in.dims[1], h = in.dims[2],
                     w = in.dims[3];
  const bool crd = args.node.get_string("mode", "DCR") == "CRD";
  Dims dims;
  std::vector<std::int64_t> steps;
  if (args.node.is("SpaceToDepth")) { // out[n, (by, bx, c) or (c, by, bx), y, x] = in[n, c, y * b + by, x * b + bx]
    dims = {n, b, b, c, h / b, w / b};
    steps = {c * h * w, w, 1, h * w, w * b, b};
    if (crd) {
      std::rotate(dims.begin() + 1, dims.begin() + 3, dims.begin() + 4);
      std::rotate(steps.begin() + 1, steps.begin() + 3, steps.begin() + 4);
    }
  } else { // out[n, c, y, by, x, bx] = in[n, (by, bx, c), y, x], or in[n, (c, by, bx), y, x]
    const std::int64_t depth = c / (b * b), area = h * w;
    dims = {n, depth, h, b, w, b};
    steps = {c * area, crd ? b * b * area : area, w, crd ? b * area : b * depth * area, 1, crd ? area : depth * area};
  }
  const Cells cells(in);
  auto out = cells.space(dims);
  if (!out.empty()) copy_strided(cells.data(), dims, steps, out.data(), cells.width());
  return one(cells.finish(*types[0].concrete(), std::move(out)));
}

// ---- CenterCropPad

Result<std::vector<Type>> infer_crop(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  std::vector<int> axes;
  if (args.node.attribute("axes")) {
    EDGEC_ASSIGN(axes, normalize_axes(args.node.get_ints("axes"), static_cast<int>(in.shape->size())));
  } else {
    for (std::size_t i = 0; i < in.shape->size(); ++i) axes.push_back(static_cast<int>(i));
  }
  const auto sizes = known_ints(args, 1);
  if (sizes && sizes->size() != axes.size())
    return bad_input(fmt::format("{} sizes for {} axes", sizes->size(), axes.size()));
  Shape out = *in.shape;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (sizes && (*sizes)[i] < 0) return bad_input(fmt::format("a size of {}", (*sizes)[i]));
    out[static_cast<std::size_t>(axes[i])] = sizes ? Dim::known((*sizes)[i]) : Dim::unknown();
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> crop_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_crop));
  const Tensor &in = *args.inputs[0];
  const Dims dims = *types[0].concrete();
  const auto from = strides(in.dims), to = strides(dims);
  std::vector<std::int64_t> sources(static_cast<std::size_t>(*element_count(dims)), 0);
  for (std::size_t i = 0; i < sources.size(); ++i)
    for (std::size_t k = 0; k < dims.size() && sources[i] >= 0; ++k) {
      const std::int64_t surplus = in.dims[k] - dims[k]; // the larger half of an odd difference is behind
      const std::int64_t at =
          static_cast<std::int64_t>(i) / to[k] % dims[k] + (surplus >= 0 ? surplus / 2 : -(-surplus / 2));
      sources[i] = at < 0 || at >= in.dims[k] ? -1 : sources[i] + at * from[k];
    }
  return one(take_elements(in, dims, sources));
}

// ---- ReverseSequence: the first sequence_lens[b] steps of each batch are turned round

Result<std::vector<Type>> infer_reverse(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  return infer_same(args);
}

Result<std::vector<RuntimeValue>> reverse_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_reverse));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const int batch_axis, normalize_axis(args.node.get_int("batch_axis", 1), in.rank()));
  EDGEC_ASSIGN(const int time_axis, normalize_axis(args.node.get_int("time_axis", 0), in.rank()));
  const auto batch = static_cast<std::size_t>(batch_axis), time = static_cast<std::size_t>(time_axis);
  const auto lengths = to_int64s(*args.inputs[1]);
  if (static_cast<std::int64_t>(lengths.size()) != in.dims[batch])
    return bad_input(fmt::format("{} lengths for a batch of {}", lengths.size(), in.dims[batch]));
  for (const std::int64_t length : lengths)
    if (length < 0 || length > in.dims[time])
      return bad_input(fmt::format("a length of {} in {} steps", length, in.dims[time]));
  const auto steps = strides(in.dims);
  std::vector<std::int64_t> sources(static_cast<std::size_t>(in.size()));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t step = at / steps[time] % in.dims[time],
                       length = lengths[static_cast<std::size_t>(at / steps[batch] % in.dims[batch])];
    sources[i] = step < length ? at + (length - 1 - 2 * step) * steps[time] : at;
  }
  return one(take_elements(in, in.dims, sources));
}

OpDef rearranging(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
                  decltype(OpDef::reference) reference, bool codes) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .moves_data = codes,
          .quant = codes ? QuantRule::same_scale : QuantRule::float_only,
          .infer = infer,
          .reference = reference,
          .codes_since = codes ? since : 0};
}

const OpDef defs[] = {
    rearranging("DepthToSpace", 1, "channels become blocks of positions", infer_blocks, blocks_reference, true),
    rearranging("SpaceToDepth", 1, "blocks of positions become channels", infer_blocks, blocks_reference, true),
    rearranging("ReverseSequence", 10, "sequences turned round", infer_reverse, reverse_reference, true),
    rearranging("CenterCropPad", 18, "cropped or padded with zeros around the centre", infer_crop, crop_reference,
                false),
};

} // namespace

std::span<const OpDef> depth_space() { return defs; }

} // namespace edgec::ops

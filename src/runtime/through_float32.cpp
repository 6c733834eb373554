#include "runtime/through_float32.h"

#include "kernels/half.h"
#include "runtime/reorder.h"

namespace edgec {
namespace {

/// One operand or result.
struct Border {
  DType dtype = DType::float32; // a half type where it is converted
  std::size_t offset = 0;       // of its floats in the scratch
  std::int64_t count = 0;
  Tensor constant, laid; // its floats, where they are known; the same as the kernel wants them to lie

  [[nodiscard]] bool converted() const { return is_half(dtype); }
};

/// What the float32 kernel is to be prepared with, and where its floats will lie.
class Borders {
public:
  explicit Borders(const PrepareArgs &args) : given_(args) {
    types_.reserve(args.inputs.size() + args.outputs.size());
    for (std::size_t i = 0; i < args.inputs.size(); ++i) {
      const Type *type = add(args.inputs[i]);
      inputs.push_back(type);
      borders[i].constant = floats_of(args.constant(i));
    }
    for (const Type *type : args.outputs) outputs.push_back(add(type));
    for (std::size_t i = 0; i < inputs.size(); ++i)
      constants.push_back(borders[i].constant.dtype == DType::float32 ? &borders[i].constant : args.constant(i));
  }

  std::vector<Border> borders; // operands, then results
  std::vector<const Type *> inputs, outputs;
  std::vector<const Tensor *> constants;
  std::size_t scratch = 0;
  bool any = false;

private:
  const PrepareArgs &given_;
  std::vector<Type> types_;

  const Type *add(const Type *type) {
    Border &border = borders.emplace_back();
    if (type == nullptr || !type->is_tensor() || !is_half(type->dtype)) return type;
    constexpr std::size_t alignment = 64;
    any = true;
    border.dtype = type->dtype;
    border.count = *element_count(*type->concrete());
    border.offset = scratch;
    scratch += (static_cast<std::size_t>(border.count) * sizeof(float) + alignment - 1) / alignment * alignment;
    types_.push_back(Type::tensor(DType::float32, type->shape));
    return &types_.back();
  }

  static Tensor floats_of(const Tensor *constant) {
    if (constant == nullptr || !is_half(constant->dtype)) return {};
    return Tensor::of(constant->dims, to_floats(*constant));
  }
};

/// The constant as the kernel wants it to lie.
Tensor laid_out(const Tensor &constant, Layout layout) {
  if (layout == Layout::plain || constant.dtype != DType::float32 || layouts_agree(constant.dims)) return constant;
  std::vector<float> values(constant.as<float>().size());
  reorder(constant.data.data(), Layout::plain, reinterpret_cast<std::byte *>(values.data()), layout, constant.dims,
          sizeof(float), 1);
  return Tensor::of(constant.dims, std::move(values));
}

} // namespace

Result<Kernel> prepare_through_float32(const OpDef &op, const PrepareArgs &args) {
  Borders found(args);
  if (!found.any || op.prepare == nullptr) return unsupported("nothing is of half precision");
  const PrepareArgs floats{args.node,    args.opset, found.inputs, found.constants, found.outputs,
                           args.layouts, {},         args.policy,  args.isa,        args.threads};
  EDGEC_ASSIGN(Kernel inner, op.prepare(floats));
  for (std::size_t i = 0; i < found.inputs.size(); ++i)
    found.borders[i].laid =
        laid_out(found.borders[i].constant, i < inner.inputs.size() ? inner.inputs[i] : Layout::plain);
  Kernel kernel{
      inner.inputs, inner.output, found.scratch + inner.scratch_bytes, 0, inner.description + " through float32",
      nullptr};
  kernel.run = [run = std::move(inner.run), borders = std::move(found.borders), scratch = found.scratch,
                how = Run{args.isa, args.threads}](const KernelIo &io) {
    std::vector<const std::byte *> from(io.inputs.begin(), io.inputs.end());
    std::vector<std::byte *> to(io.outputs.begin(), io.outputs.end());
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (!borders[i].converted() || from[i] == nullptr) continue;
      if (borders[i].laid.dtype == DType::float32) {
        from[i] = borders[i].laid.data.data();
        continue;
      }
      widen(from[i], borders[i].dtype, reinterpret_cast<float *>(io.scratch + borders[i].offset), borders[i].count,
            how);
      from[i] = io.scratch + borders[i].offset;
    }
    const std::span<const Border> results = std::span(borders).subspan(from.size());
    for (std::size_t i = 0; i < to.size(); ++i)
      if (results[i].converted() && to[i] != nullptr) to[i] = io.scratch + results[i].offset;
    run({from, to, io.scratch + scratch});
    for (std::size_t i = 0; i < to.size(); ++i)
      if (results[i].converted() && to[i] != nullptr)
        narrow(reinterpret_cast<const float *>(to[i]), results[i].dtype, io.outputs[i], results[i].count, how);
  };
  return kernel;
}

} // namespace edgec

#include "kernels/fast/matmul.h"

#include <algorithm>
#include <memory>

#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/fast/dispatch.h"
#include "kernels/fast/reordered.h"
#include "kernels/fast/tile.h"
#include "kernels/isa.h"

namespace edgec::fast {
namespace {

using dnnl::memory;

struct IntegerProducts {
  Products products;
  RuntimeCodes a, b;
  std::int32_t a_zero = 0, b_zero = 0; ///< where no inputs are
  TileOutput output;
  const TileSet *tiles = nullptr;
  std::vector<std::int32_t> bias; ///< [n rounded up to vectors]
  std::vector<float> scales;
  std::int64_t words = 0, panels = 0;

  [[nodiscard]] std::int64_t a_bytes() const { return (products.m * words * 4 + 63) / 64 * 64; }
  [[nodiscard]] std::int64_t b_bytes() const { return words * tiles->panel() * 4; }
};

template <class Code>
std::int32_t zero_of(const KernelIo &io, const RuntimeCodes &codes, std::int32_t constant) {
  if (codes.zero_point < 0) return constant;
  return *reinterpret_cast<const Code *>(io.inputs[static_cast<std::size_t>(codes.zero_point)]);
}

template <class Code>
void rows_as_pairs(const IntegerProducts &p, const KernelIo &io, const std::byte *bytes, std::int16_t *to) {
  const auto *a = reinterpret_cast<const Code *>(bytes);
  const std::int32_t zero = zero_of<Code>(io, p.a, p.a_zero);
  for (std::int64_t i = 0; i < p.products.m; ++i) {
    for (std::int64_t k = 0; k < p.products.k; ++k) *to++ = static_cast<std::int16_t>(a[i * p.products.k + k] - zero);
    if (p.products.k % 2) *to++ = 0;
  }
}

template <class Code>
void columns_as_pairs(const IntegerProducts &p, const KernelIo &io, const std::byte *bytes, std::int64_t first,
                      std::int64_t columns, std::int64_t width, std::int16_t *to) {
  const auto *b = reinterpret_cast<const Code *>(bytes);
  const std::int32_t zero = zero_of<Code>(io, p.b, p.b_zero);
  std::fill(to, to + p.words * width * 2, std::int16_t{0});
  for (std::int64_t k = 0; k < p.products.k; ++k)
    for (std::int64_t j = 0; j < columns; ++j)
      to[(k / 2 * width + j) * 2 + k % 2] = static_cast<std::int16_t>(b[k * p.products.n + first + j] - zero);
}

/// One panel of one product.
void run_item(const IntegerProducts &p, const KernelIo &io, std::int64_t item, std::byte *scratch) {
  const auto &[m, n, k, a_index, b_index] = p.products;
  const std::int64_t product = item / p.panels, first = item % p.panels * p.tiles->panel();
  const std::int64_t columns = std::min<std::int64_t>(p.tiles->panel(), n - first),
                     width = (columns + p.tiles->lanes - 1) / p.tiles->lanes * p.tiles->lanes;
  const std::byte *a = io.inputs[0] + a_index[static_cast<std::size_t>(product)] * m * k,
                  *b = io.inputs[1] + b_index[static_cast<std::size_t>(product)] * k * n;
  auto *rows = reinterpret_cast<std::int16_t *>(scratch),
       *packed = reinterpret_cast<std::int16_t *>(scratch + p.a_bytes());
  if (p.a.dtype == DType::uint8)
    rows_as_pairs<std::uint8_t>(p, io, a, rows);
  else
    rows_as_pairs<std::int8_t>(p, io, a, rows);
  if (p.b.dtype == DType::uint8)
    columns_as_pairs<std::uint8_t>(p, io, b, first, columns, width, packed);
  else
    columns_as_pairs<std::int8_t>(p, io, b, first, columns, width, packed);
  p.tiles->run({.a = scratch,
                .a_stride = p.words * 4,
                .b = scratch + p.a_bytes(),
                .words = p.words,
                .rows = m,
                .columns = static_cast<int>(columns),
                .width = static_cast<int>(width),
                .bias = p.bias.data() + first,
                .scales = p.scales.data() + first,
                .y = io.outputs[0] + (product * m * n + first) * p.output.bytes(),
                .y_stride = n * p.output.bytes(),
                .output = p.output});
}

memory::desc stack(const std::vector<std::int64_t> &index, std::int64_t rows, std::int64_t columns,
                   memory::data_type type) {
  return {{static_cast<std::int64_t>(index.size()), rows, columns}, type, memory::format_tag::abc};
}

/// Whether matrix i of the operand is number i, or always the first one.
bool is_identity(const std::vector<std::int64_t> &index) {
  for (std::size_t i = 0; i < index.size(); ++i)
    if (index[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

} // namespace

namespace {

/// Of matrices so small that oneDNN's buffers for them cost more than the products: row by row.
Kernel small_products(const Products &products, Run run) {
  Kernel kernel;
  kernel.description = "small";
  kernel.run = [products, run](const KernelIo &io) {
    const auto *a = reinterpret_cast<const float *>(io.inputs[0]), *b = reinterpret_cast<const float *>(io.inputs[1]);
    auto *y = reinterpret_cast<float *>(io.outputs[0]);
    const std::int64_t m = products.m, n = products.n, k = products.k;
    for (std::size_t i = 0; i < products.a_index.size(); ++i) {
      const float *left = a + products.a_index[i] * m * k, *right = b + products.b_index[i] * k * n;
      float *to = y + static_cast<std::int64_t>(i) * m * n;
      dispatch({run.isa, 1}, m, INT64_MAX, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
        for (std::int64_t row = first; row < last; ++row) {
          float *sums = to + row * n;
          for (std::int64_t c = 0; c < n; ++c) sums[c] = 0;
          for (std::int64_t t = 0; t < k; ++t) {
            const float factor = left[row * k + t];
            for (std::int64_t c = 0; c < n; ++c) sums[c] += factor * right[t * n + c];
          }
        }
      });
    }
  };
  return kernel;
}

} // namespace

Result<Kernel> matmul(const Products &products, Run run, Operands operands) {
  constexpr std::int64_t small = 1 << 14; // products, of all matrices
  const auto &[m, n, k, a_index, b_index] = products;
  const bool rounds = operands == Operands::bfloat16;
  if (run.isa == Isa::scalar) return unsupported("no vector instructions");
  if (rounds && !has_bfloat16(run.isa)) return unsupported("no instructions on bfloat16");
  if (m * n * k == 0 || a_index.empty()) return unsupported("an empty product");
  if (!rounds && m * n * k <= small / static_cast<std::int64_t>(a_index.size())) return small_products(products, run);
  const bool one_b = std::ranges::all_of(b_index, [](std::int64_t i) { return i == 0; });
  if (!is_identity(a_index) || (!one_b && !is_identity(b_index)))
    return unsupported("matrices broadcast in other ways");
  const OmpThreads scope(run.threads);
  const auto f32 = memory::data_type::f32, type = rounds ? memory::data_type::bf16 : f32;
  const auto left = [&](memory::data_type of) { return stack(a_index, m, k, of); };
  const auto right = [&](memory::data_type of) { return one_b ? stack({0}, k, n, of) : stack(b_index, k, n, of); };
  const memory::desc dst = stack(a_index, m, n, f32);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  EDGEC_ASSIGN(const auto descriptor, onednn_descriptor([&] {
                 return dnnl::matmul::primitive_desc(dnnl::matmul::desc(left(type), right(type), dst), attributes,
                                                     cpu_engine());
               }));
  Reordered steps(run.threads);
  EDGEC_CHECK(steps.input(DNNL_ARG_SRC, left(f32), left(type), 0));
  EDGEC_CHECK(steps.input(DNNL_ARG_WEIGHTS, right(f32), right(type), 1));
  EDGEC_CHECK(steps.output(DNNL_ARG_DST, dst, dst, 0));
  return steps.kernel<dnnl::matmul>(descriptor);
}

namespace {

/// Everything but what becomes of the sums is there.
Result<Kernel> in_tiles(IntegerProducts given, Run run) {
  auto p = std::make_shared<IntegerProducts>(std::move(given));
  p->tiles = pair_tiles(run.isa);
  if (!p->tiles) return unsupported("no vector instructions");
  const Products &products = p->products;
  const std::int64_t items =
      static_cast<std::int64_t>(products.a_index.size()) * ((products.n + p->tiles->panel() - 1) / p->tiles->panel());
  if (products.m * products.n * products.k == 0 || items == 0) return unsupported("an empty product");
  p->words = (products.k + 1) / 2;
  p->panels = (products.n + p->tiles->panel() - 1) / p->tiles->panel();
  p->bias.resize(static_cast<std::size_t>(p->panels * p->tiles->panel()));
  p->scales.resize(p->bias.size());
  const std::int64_t bytes = p->a_bytes() + p->b_bytes();
  Kernel kernel;
  kernel.scratch_bytes = static_cast<std::size_t>(bytes * run.threads);
  kernel.description = "tiles of 16-bit pairs";
  kernel.run = [p = std::shared_ptr<const IntegerProducts>(p), items, bytes,
                threads = run.threads](const KernelIo &io) {
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && items > 1)
    for (std::int64_t item = 0; item < items; ++item) run_item(*p, io, item, io.scratch + omp_get_thread_num() * bytes);
  };
  return kernel;
}

} // namespace

Result<Kernel> matmul(const Products &products, Codes a, Codes b, const IntegerOutput &output, Run run) {
  return in_tiles({.products = products,
                   .a = {.dtype = a.dtype},
                   .b = {.dtype = b.dtype},
                   .a_zero = a.zero_point,
                   .b_zero = b.zero_point,
                   .output = TileOutput::of(output),
                   .bias = output.bias,
                   .scales = output.scales},
                  run);
}

Result<Kernel> matmul(const Products &products, RuntimeCodes a, RuntimeCodes b, Run run) {
  return in_tiles({.products = products, .a = a, .b = b, .output = {.kind = TileOutput::Kind::sum}}, run);
}

} // namespace edgec::fast

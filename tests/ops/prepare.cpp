// Fast forms give what the reference gives: the same codes on every instruction set, floats to a few units.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/isa.h"
#include "support/random.h"
#include "tests/ops/run.h"

namespace edgec::test {
namespace {

using Ints = std::vector<std::int64_t>;

/// A tensor's bytes in the other layout.
std::vector<std::byte> reorder(const std::byte *from, const Dims &dims, Layout to, std::size_t width) {
  std::int64_t area = 1;
  for (std::size_t i = 2; i < dims.size(); ++i) area *= dims[i];
  std::vector<std::byte> out(static_cast<std::size_t>(*element_count(dims)) * width);
  for (std::int64_t n = 0; n < dims[0]; ++n)
    for (std::int64_t c = 0; c < dims[1]; ++c)
      for (std::int64_t i = 0; i < area; ++i) {
        const auto plain = static_cast<std::size_t>((n * dims[1] + c) * area + i),
                   last = static_cast<std::size_t>((n * area + i) * dims[1] + c);
        std::memcpy(&out[(to == Layout::plain ? plain : last) * width],
                    from + (to == Layout::plain ? last : plain) * width, width);
      }
  return out;
}

struct Problem {
  std::string op;
  std::int64_t opset;
  Attributes attributes;
  std::vector<Dims> data;                       // random data operands
  std::vector<std::optional<Tensor>> rest = {}; // constants that follow
  std::size_t outputs = 1;
};

class Comparison {
public:
  Comparison(const Problem &problem, bool quantized, std::uint64_t seed)
      : problem_(problem), quantized_(quantized), random_(seed) {
    graph_.opsets[""] = problem.opset;
    Node node{.op = problem.op, .attributes = problem.attributes};
    for (const Dims &dims : problem.data) node.inputs.push_back(data(dims));
    for (const auto &tensor : problem.rest) node.inputs.push_back(tensor ? graph_.add_constant(*tensor) : ValueId{});
    for (std::size_t i = 0; i < problem.outputs; ++i) {
      Type type;
      if (quantized) type = {Type::Kind::tensor, DType::uint8, std::nullopt, quant(), nullptr};
      node.outputs.push_back(graph_.add_value(type));
    }
    id_ = graph_.add_node(std::move(node));
  }

  void run(Isa isa, int threads, bool channels_last) {
    const Status inferred = infer_types(graph_, all_ops());
    ASSERT_TRUE(inferred) << inferred.error().message;
    const Node &node = graph_.node(id_);
    const OpDef &def = *all_ops().find(node);
    std::vector<const Type *> inputs, outputs;
    std::vector<const Tensor *> operands, constants;
    std::vector<Layout> layouts;
    std::vector<RuntimeValue> values;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      inputs.push_back(id.valid() ? &graph_.value(id).type : nullptr);
      operands.push_back(graph_.constant(id));
      const bool is_data = i < problem_.data.size();
      constants.push_back(is_data ? nullptr : operands.back());
      layouts.push_back(is_data && channels_last && operands.back()->rank() > 2 ? Layout::channels_last
                                                                                : Layout::plain);
      values.emplace_back();
      if (operands.back()) values.back().tensor = *operands.back();
    }
    for (const ValueId id : node.outputs) outputs.push_back(&graph_.value(id).type);
    const auto expected = evaluate(def, {.node = node,
                                         .opset = problem_.opset,
                                         .inputs = operands,
                                         .input_types = inputs,
                                         .output_types = outputs,
                                         .values = values});
    ASSERT_TRUE(expected) << expected.error().message;
    ASSERT_NE(def.prepare, nullptr);
    const auto kernel = def.prepare({.node = node,
                                     .opset = problem_.opset,
                                     .inputs = inputs,
                                     .constants = constants,
                                     .outputs = outputs,
                                     .layouts = layouts,
                                     .isa = isa,
                                     .threads = threads});
    ASSERT_TRUE(kernel) << kernel.error().message;
    compare(*kernel, operands, *expected);
  }

private:
  const Problem &problem_;
  bool quantized_;
  Random random_;
  Graph graph_;
  NodeId id_;

  Quant quant() {
    return same_scale() ? Quant::per_tensor(0.05F, 120)
                        : Quant::per_tensor(static_cast<float>(random_.uniform(0.01, 0.1)),
                                            static_cast<std::int32_t>(random_.below(256)));
  }
  [[nodiscard]] bool same_scale() const {
    const OpDef *def = all_ops().find("", problem_.op);
    return def->quant == QuantRule::same_scale && problem_.op != "Concat" && problem_.op != "Resize";
  }
  ValueId data(const Dims &dims) {
    const auto count = static_cast<std::size_t>(*element_count(dims));
    if (quantized_) {
      std::vector<std::uint8_t> codes(count);
      for (auto &code : codes) code = static_cast<std::uint8_t>(random_.below(256));
      return graph_.add_constant(Tensor::of(dims, std::move(codes)), {}, quant());
    }
    std::vector<float> reals(count);
    for (float &real : reals) real = static_cast<float>(random_.normal() * 3);
    return graph_.add_constant(Tensor::of(dims, std::move(reals)));
  }

  void compare(const Kernel &kernel, const std::vector<const Tensor *> &operands,
               const std::vector<RuntimeValue> &expected) {
    std::vector<std::vector<std::byte>> held;
    std::vector<const std::byte *> in;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      in.push_back(operands[i] ? operands[i]->data.data() : nullptr);
      if (i >= kernel.inputs.size() || kernel.inputs[i] == Layout::plain || operands[i]->rank() < 3) continue;
      held.push_back(reorder(in.back(), operands[i]->dims, Layout::channels_last,
                             static_cast<std::size_t>(bits(operands[i]->dtype)) / 8));
      in.back() = held.back().data();
    }
    std::vector<std::vector<std::byte>> results;
    std::vector<std::byte *> out;
    for (std::size_t i = 0; i < problem_.outputs; ++i) results.emplace_back(expected[i].tensor->data.size());
    for (auto &bytes : results) out.push_back(bytes.data());
    std::vector<float> scratch(kernel.scratch_bytes / 4 + 1);
    kernel.run({in, out, reinterpret_cast<std::byte *>(scratch.data())});
    for (std::size_t i = 0; i < problem_.outputs; ++i) {
      const Tensor &wanted = *expected[i].tensor;
      if (kernel.output == Layout::channels_last && wanted.rank() > 2)
        results[i] =
            reorder(results[i].data(), wanted.dims, Layout::plain, static_cast<std::size_t>(bits(wanted.dtype)) / 8);
      const Tensor found = Tensor::of_bytes(wanted.dtype, wanted.dims, results[i]);
      const auto a = to_doubles(found), b = to_doubles(wanted);
      for (std::size_t k = 0; k < a.size(); ++k)
        ASSERT_NEAR(a[k], b[k], quantized_ ? 0 : 1e-6 + 1e-6 * std::abs(b[k])) << "output " << i << " element " << k;
    }
  }
};

void compare(const std::vector<Problem> &problems, bool floats, bool codes) {
  std::uint64_t seed = 1;
  for (const Problem &problem : problems)
    for (const bool quantized : {false, true}) {
      if (quantized ? !codes : !floats) continue;
      for (const Isa isa : {Isa::scalar, Isa::avx2, detect_isa()})
        for (const bool channels_last : {false, true}) {
          if (isa > detect_isa()) continue;
          SCOPED_TRACE(problem.op + (quantized ? " codes " : " floats ") + std::string(name(isa)) +
                       (channels_last ? " channels last" : " plain"));
          ++seed;
          Comparison(problem, quantized, seed).run(isa, 1 + static_cast<int>(seed % 2), channels_last);
          if (testing::Test::HasFatalFailure()) return;
        }
    }
}

TEST(Prepare, Elementwise) {
  const Dims image{2, 5, 7, 9};
  std::vector<Problem> problems;
  for (const char *op : {"Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Elu", "Softplus", "Abs",
                         "Neg", "Gelu", "Mish"})
    problems.push_back({op, 20, {}, {image}});
  problems.push_back({"Clip", 13, {}, {image}, {floats({}, {-1}), floats({}, {2})}});
  problems.push_back({"Swish", 24, {}, {image}});
  for (const char *op : {"Add", "Mul", "Sub", "Max", "PRelu"})
    for (const Dims &other : {image, Dims{}, Dims{1, 5, 1, 1}, Dims{5, 1, 1}, Dims{2, 5, 1, 1}, Dims{9},
                              Dims{1, 1, 7, 9}, Dims{2, 1, 7, 9}})
      problems.push_back({op, 16, {}, {image, other}});
  problems.push_back({"Add", 14, {}, {Dims{5, 1, 1}, image}});
  problems.push_back({"Mul", 14, {}, {Dims{3, 1}, Dims{1, 40000}}});
  compare(problems, true, true);
  compare({{"Exp", 13, {}, {image}}, {"Div", 14, {}, {image, image}}}, true, false);
}

TEST(Prepare, MovingElements) {
  const Dims image{2, 6, 7, 8};
  compare(
      {{"Concat", 13, {attr("axis", std::int64_t{1})}, {image, Dims{2, 3, 7, 8}, Dims{2, 1, 7, 8}}},
       {"Concat", 13, {attr("axis", std::int64_t{-1})}, {image, Dims{2, 6, 7, 1}}},
       {"Concat", 13, {attr("axis", std::int64_t{0})}, {image, image}},
       {"Split", 13, {attr("axis", std::int64_t{1})}, {image}, {ints({1, 3, 2})}, 3},
       {"Slice", 13, {}, {image}, {ints({1, 6, 0}), ints({5, -9, 8}), ints({1, 2, 3}), ints({2, -2, 3})}},
       {"Transpose", 13, {attr("perm", Ints{0, 2, 3, 1})}, {image}},
       {"Transpose", 13, {attr("perm", Ints{3, 1, 0, 2})}, {image}},
       {"Pad", 13, {}, {image}, {ints({0, 0, 1, 2, 0, 0, 3, 0})}},
       {"Pad", 13, {}, {image}, {ints({0, 1, 1, -2, 1, 0, 3, 0})}},
       {"Pad", 13, {attr("mode", std::string("reflect"))}, {image}, {ints({0, 0, 2, 3, 0, 0, 1, 7})}},
       {"Resize", 13, {attr("mode", std::string("nearest"))}, {image}, {std::nullopt, floats({4}, {1, 1, 2, 1.5F})}},
       {"Resize", 13, {attr("mode", std::string("linear"))}, {image}, {std::nullopt, floats({4}, {1, 1, 2, 0.6F})}},
       {"Resize",
        13,
        {attr("mode", std::string("cubic"))},
        {image},
        {std::nullopt, std::nullopt, ints({2, 6, 5, 20})}}},
      true, true);
}

TEST(Prepare, Normalizations) {
  const Dims image{2, 6, 7, 8};
  compare({{"Softmax", 13, {attr("axis", std::int64_t{1})}, {image}},
           {"Softmax", 13, {}, {image}},
           {"Softmax", 11, {}, {image}}},
          true, false);
  compare({{"Softmax", 13, {}, {Dims{3, 100}}}, {"LogSoftmax", 13, {attr("axis", std::int64_t{0})}, {Dims{3, 100}}}},
          true, true);
  const auto some = [](float base) { return floats({6}, {base, base + 1, base + 2, base + 3, base + 4, base + 5}); };
  compare({{"BatchNormalization", 15, {}, {image}, {some(1), some(-3), some(0), some(2)}}}, true, false);
  compare({{"QuantizeLinear", 13, {}, {image}, {floats({}, {0.05F}), Tensor::scalar<std::uint8_t>(100)}},
           {"QuantizeLinear", 13, {}, {Dims{2, 3}}, {floats({}, {0.05F}), Tensor::scalar<std::int8_t>(3)}}},
          true, false);
}

} // namespace
} // namespace edgec::test

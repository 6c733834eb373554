// A product and the chain of its readers, planned, against their definitions node by node, on the instruction set under
// test. Nothing that a kernel gives out may be unwritten.
#include <cmath>

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "tests/kernels/problems.h"

namespace edgec {
namespace {

using test::pick;

/// A random network of one product and one to four readers in a chain.
class Network {
public:
  explicit Network(Random &random, bool codes) : random_(random), codes_(codes) {
    graph_.opsets = {{"", 18}};
    make_product();
    for (std::int64_t left = pick(random_, 1, 4); left > 0; --left) {
      if (one_in(8)) graph_.add_output(at_, "between" + std::to_string(left));
      codes_ &&type().quant ? follow_codes() : one_in(2) ? follow_pair() : follow_one();
    }
    graph_.add_output(at_, "y");
  }

  [[nodiscard]] const Graph &graph() const { return graph_; }
  [[nodiscard]] const std::vector<Tensor> &feeds() const { return feeds_; }

private:
  Random &random_;
  bool codes_;
  Graph graph_;
  std::vector<Tensor> feeds_;
  ValueId at_; ///< the end of the chain
  Dims dims_;

  bool one_in(std::uint64_t count) { return random_.below(count) == 0; }
  Type type() const { return graph_.value(at_).type; }

  Tensor numbers(const Dims &dims, double spread = 1) {
    std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
    for (float &value : values) value = static_cast<float>(spread * random_.normal());
    return Tensor::of(dims, std::move(values));
  }
  Tensor integers(DType dtype, const Dims &dims, std::int64_t low, std::int64_t high) {
    std::vector<std::int64_t> values(static_cast<std::size_t>(*element_count(dims)));
    for (std::int64_t &value : values) value = pick(random_, low, high);
    return from_int64s(dtype, dims, values);
  }

  /// The file may know the input's dims or not.
  ValueId input(Tensor tensor, std::optional<Quant> quant = std::nullopt) {
    Type type = Type::of(tensor);
    if (one_in(3)) type.shape = Shape(tensor.dims.size());
    type.quant = std::move(quant);
    feeds_.push_back(std::move(tensor));
    return graph_.add_input("x" + std::to_string(feeds_.size()), std::move(type));
  }
  ValueId operand(Tensor tensor) {
    return one_in(2) ? input(std::move(tensor)) : graph_.add_constant(std::move(tensor));
  }

  Quant codes_quant(DType dtype) {
    const std::int32_t low = dtype == DType::uint8 ? 0 : -128;
    return Quant::per_tensor(static_cast<float>(random_.uniform(0.01, 0.05)),
                             one_in(2) ? low : low + static_cast<std::int32_t>(random_.below(256)));
  }
  Type codes_type() {
    Type type = Type::tensor(one_in(3) ? DType::int8 : DType::uint8);
    type.quant = codes_quant(type.dtype);
    return type;
  }
  ValueId codes_input(const Dims &dims) {
    const Type type = codes_type();
    return input(
        integers(type.dtype, dims, type.dtype == DType::uint8 ? 0 : -128, type.dtype == DType::uint8 ? 255 : 127),
        type.quant);
  }

  void add(Node node, Type type) {
    at_ = graph_.add_op(std::move(node), std::move(type));
    auto inferred = graph_;
    if (const Status status = infer_types(inferred, all_ops()); !status)
      throw std::runtime_error(status.error().message);
  }

  ValueId weight(const Dims &dims, std::int64_t terms, int axis) {
    if (!codes_) return graph_.add_constant(numbers(dims, 1 / std::sqrt(static_cast<double>(terms))));
    Quant quant{.axis = axis};
    for (std::int64_t c = 0; c < dims[static_cast<std::size_t>(axis)]; ++c) {
      quant.scales.push_back(static_cast<float>(random_.uniform(0.002, 0.01)));
      quant.zero_points.push_back(0);
    }
    return graph_.add_constant(integers(DType::int8, dims, -127, 127), {}, quant);
  }
  ValueId bias(std::int64_t channels) {
    return codes_ ? graph_.add_constant(integers(DType::int32, {channels}, -5000, 5000))
                  : graph_.add_constant(numbers({channels}));
  }
  ValueId data(const Dims &dims) { return codes_ ? codes_input(dims) : input(numbers(dims)); }
  Type product_type() { return codes_ && !one_in(4) ? codes_type() : Type::tensor(DType::float32); }

  void make_product() {
    const std::uint64_t kind = random_.below(5);
    if (kind < 3)
      make_convolution(kind == 2);
    else
      make_matrix_product(kind == 3);
  }

  void make_convolution(bool transposed) {
    const std::int64_t rank = one_in(5) ? 1 : one_in(8) ? 3 : 2, groups = one_in(3) ? pick(random_, 2, 4) : 1;
    std::int64_t in = groups * pick(random_, 1, 6), out = groups * (one_in(2) ? 8 : pick(random_, 1, 6));
    if (one_in(6)) in = out = pick(random_, 8, 20);
    const bool depthwise = groups > 1 && in == out && one_in(2);
    Node node;
    node.op = transposed ? "ConvTranspose" : "Conv";
    const std::int64_t own_groups = depthwise ? in : in % groups == 0 && out % groups == 0 ? groups : 1;
    Dims x{pick(random_, 1, 2), in}, w{transposed ? in : out, (transposed ? out : in) / own_groups}, y{x[0], out};
    Dims pads(static_cast<std::size_t>(2 * rank), 0), strides;
    for (std::int64_t i = 0; i < rank; ++i) {
      const std::int64_t kernel = pick(random_, 1, 3), stride = pick(random_, 1, 2),
                         size = one_in(4) ? kernel : pick(random_, kernel, 7);
      if (!transposed && kernel > 1 && one_in(2)) pads[static_cast<std::size_t>(i)] = 1;
      const std::int64_t padded = size + pads[static_cast<std::size_t>(i)];
      x.push_back(size);
      w.push_back(kernel);
      strides.push_back(stride);
      y.push_back(transposed ? (size - 1) * stride + kernel : (padded - kernel) / stride + 1);
    }
    node.attributes = {{"group", own_groups}, {"pads", pads}, {"strides", strides}};
    node.inputs = {data(x), weight(w, w[1] * 3, transposed ? 1 : 0)};
    if (one_in(2) && !(codes_ && transposed && own_groups > 1)) node.inputs.push_back(bias(out));
    dims_ = y;
    if (codes_ && transposed && own_groups > 1)
      node.inputs[1] = graph_.add_constant(integers(DType::int8, w, -127, 127), {}, Quant::per_tensor(0.01F, 0));
    add(std::move(node), product_type());
  }

  void make_matrix_product(bool gemm) {
    const std::int64_t m = pick(random_, 1, 9), k = pick(random_, 1, 20), n = one_in(2) ? 16 : pick(random_, 1, 20);
    Node node;
    node.op = gemm ? "Gemm" : "MatMul";
    dims_ = {m, n};
    const bool turned = gemm && one_in(2);
    Dims x{m, k};
    for (std::int64_t more = gemm ? 0 : pick(random_, 0, 2); more > 0; --more) {
      x.insert(x.begin(), pick(random_, 1, 3));
      dims_.insert(dims_.begin(), x[0]);
    }
    if (!gemm && x.size() == 2 && one_in(4)) x = {k}, dims_ = {n};
    node.inputs = {data(x), weight(turned ? Dims{n, k} : Dims{k, n}, k, turned ? 0 : 1)};
    if (gemm) node.attributes = {{"transB", std::int64_t{turned}}};
    if (gemm && one_in(2)) node.inputs.push_back(bias(n));
    add(std::move(node), product_type());
  }

  float number() { return static_cast<float>(std::array{-1.0, 0.0, 0.1, 0.5, 1.5, 6.0}[random_.below(6)]); }

  void bounds(Node &node) {
    std::array<ValueId, 2> made;
    for (ValueId &bound : made)
      if (!one_in(4)) bound = graph_.add_constant(Tensor::of(Dims{}, std::vector<float>{number()}));
    node.inputs.insert(node.inputs.end(), made.begin(), made.end());
  }

  void follow_one() {
    Node node{.op = std::array{"Relu", "Clip", "Clip", "LeakyRelu", "LeakyRelu", "Sigmoid", "HardSwish", "Tanh",
                               "Elu"}[random_.below(9)],
              .inputs = {at_}};
    if (node.op == "Clip") bounds(node);
    if (node.op == "LeakyRelu" && !one_in(3)) node.attributes = {{"alpha", number()}};
    add(std::move(node), Type::tensor(DType::float32));
  }

  /// Dims that broadcast with the chain's, and may make them larger.
  Dims other_dims() {
    Dims dims = dims_;
    for (std::int64_t &dim : dims)
      if (one_in(4)) dim = 1;
    while (!dims.empty() && one_in(5)) dims.erase(dims.begin());
    if (one_in(2)) dims = dims_;
    if (one_in(4))
      for (std::size_t i = 0; i < dims.size(); ++i)
        if (dims_[dims_.size() - dims.size() + i] == 1) dims[i] = pick(random_, 1, 3);
    if (one_in(8)) {
      dims.insert(dims.begin(), dims_.size() - dims.size(), 1);
      dims.insert(dims.begin(), pick(random_, 1, 3));
    }
    return dims;
  }

  /// A reader of the chain and of another tensor, fed or constant, or of another node, its dims known only at run time
  /// or before.
  void follow_pair() {
    Node node;
    node.op = std::array{"Add", "Add", "Add", "Mul", "Sub", "Max", "PRelu"}[random_.below(7)];
    const Dims dims = node.op == "PRelu" ? Dims{1} : other_dims();
    ValueId other = operand(numbers(dims));
    if (node.op != "PRelu" && one_in(6)) {
      Node before{.op = one_in(2) ? "Reshape" : "Abs", .inputs = {other}};
      const auto rank = static_cast<std::int64_t>(dims.size());
      if (before.op == "Reshape")
        before.inputs.push_back(input(Tensor::of(Dims{rank}, std::vector<std::int64_t>(dims))));
      other = graph_.add_op(std::move(before), Type::tensor(DType::float32));
    }
    node.inputs = {at_, other};
    if (node.op != "PRelu" && one_in(2)) std::swap(node.inputs[0], node.inputs[1]);
    if (node.op != "PRelu" && one_in(12))
      node.inputs = {at_, at_};
    else
      enlarge(dims);
    add(std::move(node), Type::tensor(DType::float32));
  }

  void enlarge(const Dims &other) {
    if (other.size() > dims_.size()) dims_.insert(dims_.begin(), other.size() - dims_.size(), 1);
    for (std::size_t i = 0; i < other.size(); ++i) {
      std::int64_t &dim = dims_[dims_.size() - other.size() + i];
      dim = std::max(dim, other[i]);
    }
  }

  void follow_codes() {
    Node node{.op = std::array{"Relu", "Clip", "Clip", "LeakyRelu", "Sigmoid", "Add"}[random_.below(6)],
              .inputs = {at_}};
    if (node.op == "Clip") bounds(node);
    Type out = type();
    out.shape.reset();
    if (one_in(3)) out.quant = codes_quant(out.dtype);
    if (node.op == "Add") {
      const Dims dims = other_dims();
      node.inputs.push_back(codes_input(dims));
      if (one_in(2)) std::swap(node.inputs[0], node.inputs[1]);
      enlarge(dims);
    }
    add(std::move(node), out);
  }
};

void expect_equal(const Tensor &found, const Tensor &expected, bool exactly) {
  ASSERT_EQ(found.dims, expected.dims);
  ASSERT_EQ(found.dtype, expected.dtype);
  if (exactly) {
    ASSERT_TRUE(identical(found, expected));
    return;
  }
  const auto a = to_doubles(found), b = to_doubles(expected);
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4 * (1 + std::abs(b[i]))) << "element " << i;
}

/// How many of `rounds` networks had a step that computes several nodes.
int compare(std::uint64_t seed, bool codes, int rounds) {
  Random random(seed);
  int fused = 0;
  for (int round = 0; round < rounds; ++round) {
    const Network network(random, codes);
    SCOPED_TRACE("round " + std::to_string(round) + "\n" + to_text(network.graph()));
    PlanOptions options;
    options.check_writes = true;
    options.reference = true;
    const auto expected = Runner(network.graph(), all_ops(), options).run_tensors(network.feeds());
    if (!expected) ADD_FAILURE() << expected.error().message;
    options.reference = false;
    options.isa = test::test_isa();
    options.threads = round % 32 == 0 ? 2 : 1;
    Runner runner(network.graph(), all_ops(), options);
    const auto found = runner.run_tensors(network.feeds());
    if (!found) ADD_FAILURE() << found.error().message;
    if (testing::Test::HasFailure()) return 0;
    for (std::size_t i = 0; i < expected->size(); ++i)
      expect_equal((*found)[i], (*expected)[i], (*expected)[i].dtype != DType::float32);
    if (testing::Test::HasFailure()) return 0;
    std::vector<Type> types;
    for (const Tensor &feed : network.feeds()) types.push_back(Type::of(feed));
    for (const StepInfo &step : (*runner.plan(types))->steps())
      if (step.label.find('+') != std::string::npos) {
        ++fused;
        break;
      }
  }
  return fused;
}

TEST(Followers, OfFloatProductsAreWhatTheyAreOneByOne) {
  const int fused = compare(31, false, 1000);
  if (test::test_isa() > Isa::scalar) {
    EXPECT_GT(fused, 150);
  }
}

TEST(Followers, OfIntegerProductsAreWhatTheyAreOneByOne) {
  const int fused = compare(32, true, 500);
  if (test::test_isa() > Isa::scalar) {
    EXPECT_GT(fused, 20);
  }
}

} // namespace
} // namespace edgec

// DynamicQuantizeLSTM beside onnxruntime.
#include <gtest/gtest.h>

#include "tests/ops/run.h"

namespace edgec {
namespace {

std::vector<std::int8_t> codes(std::initializer_list<int> values) { return {values.begin(), values.end()}; }

/// Three steps of three numbers, two directions of two units.
struct Operands {
  Tensor x = test::floats({3, 1, 3}, {-0.8F, -1.32F, -0.25F, 0.42F, 1.14F, 0.11F, -0.55F, -0.78F, 0.75F});
  Tensor w =
      Tensor::of({2, 3, 8}, codes({-90, 127, -79, 39,  64, -68,  -56, -17, -60, 121,  -82, 101, 76,  88,   -98,  -27,
                                   33,  -2,  42,  45,  42, -112, 117, 14,  103, -58,  -35, 97,  -80, -111, -32,  46,
                                   -96, 94,  -41, -70, 11, 101,  98,  95,  -49, -123, 71,  53,  69,  -127, -118, 1}));
  Tensor r =
      Tensor::of({2, 2, 8}, codes({-42, -16, 110, -76, 7,    -45, -52, 78, -88, -47, -97, -89, -56, 51,  20, -13,
                                   -84, 76,  76,  -67, -112, -46, -90, 76, 5,   2,   -53, 2,   119, -67, 68, -124}));
  Tensor b =
      test::floats({2, 16}, {-0.34F, 0.13F,  -0.32F, -0.38F, 0.18F,  -0.36F, -0.1F,  0,      -0.13F, -0.02F, 0.4F,
                             -0.16F, -0.38F, -0.55F, -0.06F, -0.11F, 0.08F,  -0.14F, -0.14F, -0.22F, -0.16F, 0.05F,
                             -0.11F, 0.03F,  0.57F,  0.14F,  -0.47F, 0.52F,  0.1F,   -0.28F, 0.27F,  0.01F});
  Tensor h = test::floats({2, 1, 2}, {-0.61F, -0.32F, 0.86F, 0.78F});
  Tensor w_scale = test::floats({2, 8}, {0.019F, 0.004F, 0.017F, 0.009F, 0.019F, 0.009F, 0.019F, 0.012F, 0.006F, 0.015F,
                                         0.014F, 0.014F, 0.01F, 0.006F, 0.014F, 0.004F});
  Tensor r_scale = test::floats({2, 8}, {0.014F, 0.013F, 0.009F, 0.016F, 0.005F, 0.009F, 0.016F, 0.009F, 0.015F, 0.013F,
                                         0.019F, 0.02F, 0.015F, 0.017F, 0.005F, 0.015F});
  Tensor zeros = Tensor::of({2, 8}, std::vector<std::int8_t>(16));

  [[nodiscard]] Result<std::vector<RuntimeValue>> run() const {
    const Node node{.op = "DynamicQuantizeLSTM",
                    .domain = "com.microsoft",
                    .attributes = {{"hidden_size", std::int64_t{2}}, {"direction", std::string("bidirectional")}}};
    const std::vector<const Tensor *> given{&x,      &w,      &r,       &b,     nullptr,  &h,
                                            nullptr, nullptr, &w_scale, &zeros, &r_scale, &zeros};
    return evaluate_node(*all_ops().find(node), node, 1, given);
  }
};

/// Computed by onnxruntime 1.31.1.
TEST(DynamicQuantizeLstm, ComputesWhatOnnxruntimeComputes) {
  const auto found = Operands().run();
  ASSERT_TRUE(found) << found.error().message;
  const std::vector<float> y{0.68253F,   0.0048562F, -0.160854F, -0.0837822F, 0.137252F,  -0.0187967F,
                             0.0558093F, 0.078174F,  0.712921F,  0.0338027F,  -0.277528F, -0.071351F};
  const std::vector<float> last_c{1.01061F, 0.156428F, -0.288544F, -0.150143F};
  EXPECT_EQ((*found)[0].tensor->dims, (Dims{3, 2, 1, 2}));
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR((*found)[0].tensor->as<float>()[i], y[i], 2e-6) << i;
  for (std::size_t i = 0; i < last_c.size(); ++i) EXPECT_NEAR((*found)[2].tensor->as<float>()[i], last_c[i], 2e-6) << i;
}

TEST(DynamicQuantizeLstm, RefusesScalesThatDoNotFit) {
  Operands operands;
  operands.w_scale = test::floats({3}, {1, 1, 1});
  const auto found = operands.run();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::bad_input);
}

} // namespace
} // namespace edgec

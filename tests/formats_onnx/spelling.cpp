// Quantized types as QDQ and as QOperator, and QOperators written out again.
#include <gmock/gmock.h>

#include <algorithm>

#include "formats/onnx/qoperator.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "tests/formats_onnx/protos.h"

namespace edgec {
namespace {

using testing::HasSubstr;

constexpr std::string_view network = R"(<ir_version: 8, opset_import: ["" : 13]>
net (uint8[1,2,3,3]{0.5,120} x, float[1,2,3,3] r) => (float[1,2] y, uint8[1,2,3,3]{0.5,0} s)
  <int8[2,2,1,1]{axis=0; 0.25,0; 0.125,0} w = {1, 2, 3, 4},
   int32[2]{axis=0; 0.125,0; 0.0625,0} b = {100, -2000},
   int8[2,2]{axis=1; 0.25,1; 0.5,2} v = {1, -2, 3, 4},
   uint8[1,2,3,3]{0.25,7} c,
   uint8[1,2,1,1]{0.25,7} g,
   uint8[1,2]{0.25,7} f>
{
  [conv] c = Conv<kernel_shape = [1, 1]>(x, w, b)
  [gap] g = GlobalAveragePool(c)
  [flat] f = Flatten(g)
  [fc] y = Gemm(f, v)
  [add] s = Add(c, x)
}
)";

std::string written(OnnxSpelling spelling, bool unfold = false) {
  const auto model = parse_model(network);
  if (!model) return model.error().message;
  const auto bytes = serialize_onnx(*model, {.spelling = spelling});
  if (!bytes) return bytes.error().message;
  auto again = parse_onnx(test::storage_of(*bytes), "");
  if (!again) return again.error().message;
  if (unfold && !unfold_qoperators(again->graph)) return "nothing to unfold";
  if (auto done = again->graph.sort(); !done) return done.error().message;
  if (auto sound = verify(again->graph); !sound) return sound.error().message;
  return to_text(again->graph);
}

std::ptrdiff_t count(std::string_view text, std::string_view part) {
  std::ptrdiff_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(OnnxSpelling, QdqSharesScalesAndDequantizeLinear) {
  const std::string text = written(OnnxSpelling::qdq);
  EXPECT_THAT(text, HasSubstr("net (uint8[1,2,3,3] x, float[1,2,3,3] r) => (float[1,2] y, uint8[1,2,3,3] s)"));
  EXPECT_EQ(count(text, "= DequantizeLinear"), 7) << text; // x, w, b, c, g, f, v
  EXPECT_EQ(count(text, "= QuantizeLinear"), 4) << text;   // c, g, f, s
  EXPECT_EQ(count(text, "uint8 "), 3) << text;             // zero points 120, 7, 0
  EXPECT_THAT(text, HasSubstr("DequantizeLinear<axis = 0>(w, "));
  EXPECT_THAT(text, HasSubstr("int8[2] ")); // the zero points of v
}

TEST(OnnxSpelling, QOperatorsTakeCodes) {
  const std::string text = written(OnnxSpelling::qoperator);
  for (const char *part :
       {"c = QLinearConv<kernel_shape = [1, 1]>(x, ", "g = com.microsoft.QLinearGlobalAveragePool(c, ",
        "y = com.microsoft.QGemm(f, ", "s = com.microsoft.QLinearAdd(c, "})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(OnnxSpelling, QOperatorsAreWrittenOutAgain) {
  const std::string text = written(OnnxSpelling::qoperator, true);
  EXPECT_EQ(count(text, "QLinear"), 0) << text;
  EXPECT_EQ(count(text, "com.microsoft"), 0) << text;
  EXPECT_THAT(text, HasSubstr("float[2] ")); // the bias counts in steps of 0.5 * {0.25, 0.125}
  EXPECT_THAT(text, HasSubstr("{0.125, 0.0625}"));
}

TEST(OnnxSpelling, NarrowAndWideCodesNeedNewerOpsets) {
  const auto message = [](std::string_view type) {
    auto model = parse_model(network);
    auto quantized = parse_type(type);
    model->graph.set_type(model->graph.add_input("z", {}), *quantized);
    const auto bytes = serialize_onnx(*model, {});
    return bytes ? std::string("written") : bytes.error().message;
  };
  EXPECT_EQ(message("uint8[2]{0.5,0}"), "written");
  EXPECT_THAT(message("uint16[2]{0.5,0}"), HasSubstr("need opset 21"));
  EXPECT_THAT(message("int4[2]{0.5,0}"), HasSubstr("need opset 21"));
  EXPECT_THAT(message("uint2[2]{0.5,0}"), HasSubstr("need opset 25"));
  EXPECT_THAT(message("int8[4]{axis=0,block=2; 0.5,0; 1,1}"), HasSubstr("need opset 21"));
}

} // namespace
} // namespace edgec

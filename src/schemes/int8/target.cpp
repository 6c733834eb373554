#include "schemes/int8/target.h"

#include <algorithm>

namespace edgec {
namespace {

using Names = std::string_view;

// onnxruntime/core/optimizer/qdq_transformer/selectors_actions/qdq_selector_action_transformer.cc, CPU provider
constexpr Names ort_operators[] = {"Add",       "AveragePool", "Clip", "Conv", "Gemm",    "GlobalAveragePool",
                                   "LeakyRelu", "MatMul",      "Mul",  "Relu", "Sigmoid", "Softmax"};
// The lists below only tell users what may stay float: they follow these runtimes' documentation and were not tried in
// TensorRT or TensorFlow Lite.
// OpenVINO: operations with a low precision transformation of their own
constexpr Names openvino_operators[] = {"Add",       "AveragePool",       "Clip",   "Conv", "ConvTranspose",
                                        "Gemm",      "GlobalAveragePool", "MatMul", "Mul",  "PRelu",
                                        "LeakyRelu", "ReduceMean",        "Relu",   "Sub"};
// TensorRT: layers with INT8 forms; quantization is symmetric (developer guide, "Working with Quantized Types")
constexpr Names tensorrt_operators[] = {"Add",  "AveragePool",       "Clip",   "Conv",       "ConvTranspose",
                                        "Gemm", "GlobalAveragePool", "MatMul", "ReduceMean", "Relu"};
// LiteRT: operators with int8 kernels; weights of [-127, 127] without a zero point ("8-bit quantization specification")
constexpr Names tflite_operators[] = {"Abs",         "Add",
                                      "AveragePool", "Clip",
                                      "Conv",        "ConvTranspose",
                                      "Elu",         "Gelu",
                                      "Gemm",        "HardSwish",
                                      "Mul",         "MatMul",
                                      "Neg",         "PRelu",
                                      "LeakyRelu",   "Relu",
                                      "ReduceMean",  "Sub",
                                      "Sigmoid",     "Softmax",
                                      "Tanh",        "GlobalAveragePool"};
// ONNX: QLinearConv, QLinearMatMul; activations that saturation does
constexpr Names onnx_operators[] = {"Clip", "Conv", "Gemm", "MatMul", "Relu"};

constexpr NumberSpec int8_values{8, true}, signed_values{.bits = 8, .symmetric = false, .has_sign = true};

constexpr Target targets[] = {
    {.name = "ort",
     .summary = "onnxruntime's CPU provider",
     .recurrent_codes = true,
     .integer_operators = ort_operators},
    {.name = "ort-avx2",
     .summary = "the same without VNNI, where products saturate: weights have 7 bits",
     .saturates = true,
     .weight_bits = 7,
     .recurrent_codes = true,
     .integer_operators = ort_operators},
    {.name = "openvino", .summary = "OpenVINO", .bytes_only = true, .integer_operators = openvino_operators},
    {.name = "tensorrt",
     .summary = "TensorRT: symmetric activations, float biases",
     .values = int8_values,
     .fuses_activations = true,
     .float_biases = true,
     .bytes_only = true,
     .integer_operators = tensorrt_operators},
    {.name = "tflite",
     .summary = "TensorFlow Lite: signed activations",
     .values = signed_values,
     .bytes_only = true,
     .integer_operators = tflite_operators},
    {.name = "generic", .summary = "what ONNX itself has on integers", .integer_operators = onnx_operators}};

} // namespace

bool Target::computes(const OpDef &op) const {
  return (op.quant != QuantRule::own_scale && op.quant != QuantRule::fixed_range) ||
         std::ranges::find(integer_operators, op.name) != integer_operators.end();
}

std::span<const Target> all_targets() { return targets; }

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const Target &target : targets) names.emplace_back(target.name);
  return names;
}

const Target *find_target(std::string_view name) {
  const auto found = std::ranges::find(targets, name, &Target::name);
  return found == std::end(targets) ? nullptr : found;
}

} // namespace edgec

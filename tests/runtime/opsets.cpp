// A network in another opset computes what it computed in its own: every operator whose attributes, operands or meaning
// changed between opsets, in all of them.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "formats/onnx/onnx.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

constexpr std::int64_t oldest = 7, newest = 25;

/// A graph as opsets `first` to `last` spell it, which opsets from `reach` on can say; @ stands for each of the
/// variants.
struct Row {
  std::int64_t first, last, reach;
  std::string graph;
  std::vector<std::string> variants = {""};
};

const Row rows[] = {
    // Softmax and its kin: all axes from one on, or one.
    {7,
     12,
     7,
     "g (float[2,3,4] x) => (float[?,?,?] y) { y = Softmax@(x) }",
     {"", "<axis = 0>", "<axis = 1>", "<axis = 2>"}},
    {7, 12, 7, "g (float[2,3,1,1] x) => (float[?,?,?,?] y) { y = LogSoftmax@(x) }", {"", "<axis = 2>", "<axis = 3>"}},
    {11, 12, 7, "g (float[2,3,4] x) => (float[?,?,?] y) { y = Hardmax@(x) }", {"<axis = -1>", "<axis = -2>"}},
    {13,
     newest,
     7,
     "g (float[2,3,4] x) => (float[?,?,?] y) { y = Softmax@(x) }",
     {"", "<axis = 0>", "<axis = 1>", "<axis = -2>", "<axis = 2>"}},
    {13,
     newest,
     7,
     "g (float[2,3,1,1] x) => (float[?,?,?,?] y) { y = LogSoftmax@(x) }",
     {"", "<axis = 1>", "<axis = -3>"}},
    {13, newest, 7, "g (float[N,3,2] x) => (float[N,3,2] y) { y = Hardmax<axis = 1>(x) }"},
    // Upsample and Resize.
    {7,
     8,
     7,
     "g (float[1,2,3,5] x) => (float[?,?,?,?] y) { y = Upsample<mode = \"@\", scales = [1.0, 1.0, 2.0, 1.6]>(x) }",
     {"nearest", "linear"}},
    {9,
     9,
     7,
     "g (float[1,2,3,5] x) => (float[?,?,?,?] y) <float[4] s = {1, 1, 2, 1.3}> { y = Upsample<mode = \"@\">(x, s) }",
     {"nearest", "linear"}},
    {10,
     10,
     7,
     "g (float[1,2,3,5] x) => (float[?,?,?,?] y) <float[4] s = {1, 1, @}> { y = Resize<mode = \"nearest\">(x, s) }",
     {"2, 1.3", "3, 2"}},
    {10,
     10,
     10,
     "g (float[1,2,6,7] x) => (float[?,?,?,?] y) <float[4] s = {1, 1, @}> { y = Resize<mode = \"nearest\">(x, s) }",
     {"0.5, 0.7", "1.5, 0.7", "0.3, 2"}},
    {10,
     10,
     10,
     "g (float[1,2,6,7] x) => (float[?,?,?,?] y) <float[4] s = {1, 1, @}> { y = Resize<mode = \"linear\">(x, s) }",
     {"0.5, 0.7", "1.5, 0.7"}},
    {10, 10, 10,
     "g (float[1,2,6,7] x, float[4] t) => (float[?,?,?,?] y) <float[4] s = {1, 1, 0.6, 1.5}> { u = Max(t, s) y = "
     "Resize(x, u) }"},
    {11,
     newest,
     7,
     "g (float[1,2,3,5] x) => (float[?,?,?,?] y) <float[0] r = {}, float[4] s = {1, 1, 2, 2}> { y = Resize<@>(x, r, s) "
     "}",
     {"mode = \"linear\", coordinate_transformation_mode = \"asymmetric\"",
      "nearest_mode = \"floor\", coordinate_transformation_mode = \"asymmetric\"",
      "nearest_mode = \"round_prefer_ceil\"", "mode = \"nearest\""}},
    {11,
     newest,
     7,
     "g (float[1,2,4,5] x) => (float[?,?,?,?] y) <float[0] r = {}, float[0] s = {}, int64[4] d = {1, 2, @}>"
     "{ y = Resize<mode = \"linear\", coordinate_transformation_mode = \"asymmetric\">(x, r, s, d) }",
     {"8, 10", "6, 7", "7, 13"}},
    {11,
     newest,
     11,
     "g (float[1,2,4,5] x) => (float[?,?,?,?] y) <float[0] r = {}, float[4] s = {1, 1, 1.5, 0.7}> { y = Resize<@>(x, "
     "r, s) }",
     {"mode = \"linear\"", "mode = \"cubic\"", "mode = \"linear\", coordinate_transformation_mode = \"align_corners\"",
      "nearest_mode = \"ceil\"", "mode = \"cubic\", exclude_outside = 1",
      "coordinate_transformation_mode = \"pytorch_half_pixel\""}},
    {11, 12, 11,
     "g (float[1,2,4,5] x) => (float[?,?,?,?] y) <float[0] r = {}, float[4] s = {1, 1, 1.5, 2}>"
     "{ y = Resize<nearest_mode = \"floor\", coordinate_transformation_mode = \"tf_half_pixel_for_nn\">(x, r, s) }"},
    {13,
     newest,
     11,
     "g (float[1,2,4,5] x) => (float[?,?,?,?] y) <@> { y = Resize<mode = \"linear\">(x, , s, d) }",
     {"float[0] s = {}, int64[4] d = {1, 2, 6, 7}"}},
    {13, newest, 11,
     "g (float[1,2,4,5] x) => (float[?,?,?,?] y) <int64[4] d = {1, 2, 6, 7}> { y = Resize<mode = \"linear\">(x, , , d) "
     "}"},
    {18,
     newest,
     11,
     "g (float[1,2,4,5] x) => (float[?,?,?,?] y) <int64[2] d = {6, 7}> { y = Resize<mode = \"linear\", axes = [@]>(x, "
     ", , d) }",
     {"2, 3", "-2, -1", "3, 2"}},
    {18, newest, 11,
     "g (float[1,2,4,5] x) => (float[?,?,?,?] y) <float[1] s = {1.5}> { y = Resize<mode = \"linear\", antialias = 1, "
     "axes = [3]>(x, , s) }"},
    {18, newest, 18,
     "g (float[1,2,4,6] x) => (float[?,?,?,?] y) <float[4] s = {1, 1, 0.5, 0.5}> { y = Resize<mode = \"linear\", "
     "antialias = 1>(x, , s) }"},
    {19, newest, 19,
     "g (float[1,2,4,5] x) => (float[?,?,?,?] y) <float[4] s = {1, 1, 1.3, 1.5}>"
     "{ y = Resize<mode = \"linear\", coordinate_transformation_mode = \"half_pixel_symmetric\">(x, , s) }"},
    // Axes, first attributes, then operands.
    {7, 12, 7, "g (float[2,1,3] x) => (float[?,?] y) { y = Squeeze<axes = [1]>(x) }"},
    {11, 12, 7, "g (float[2,1,3] x) => (float[?,?] y) { y = Squeeze<axes = [-2]>(x) }"},
    {13, newest, 7, "g (float[2,1,3] x) => (float[?,?] y) <int64[1] a = {@}> { y = Squeeze(x, a) }", {"1", "-2"}},
    {13, newest, 7, "g (float[1,3] x) => (float[3] y) { y = Squeeze(x) }"},
    {11, 12, 7, "g (float[2,3] x) => (float[?,?,?,?] y) { y = Unsqueeze<axes = [@]>(x) }", {"0, 2", "-1, 0", "-4, -2"}},
    {13,
     newest,
     7,
     "g (float[2,3] x) => (float[?,?,?,?] y) <int64[2] a = {@}> { y = Unsqueeze(x, a) }",
     {"0, 2", "-1, 0"}},
    {13, newest, 13,
     "g (float[2,3] x, float[1] t) => (float[?,?,?] y) { a = Cast<to = 7>(t) b = Sub(a, a) y = Unsqueeze(x, b) }"},
    {7, 12, 7, "g (float[2,3,4] x) => (float y) { y = ReduceSum<keepdims = 0>(x) }"},
    {11,
     12,
     7,
     "g (float[2,3,4] x) => (float[?,?,?] y) { y = @<axes = [-1, 0]>(x) }",
     {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2"}},
    {13, newest, 7, "g (float[2,3,4] x) => (float[?,?,?] y) <int64[2] a = {1, -1}> { y = ReduceSum(x, a) }"},
    {13,
     newest,
     7,
     "g (float[2,3,4] x) => (float[?,?,?] y) { y = ReduceSum@(x) }",
     {"", "<noop_with_empty_axes = 1>", "<noop_with_empty_axes = 0>"}},
    {13,
     17,
     7,
     "g (float[2,3,4] x) => (float[?,?] y) { y = @<axes = [1], keepdims = 0>(x) }",
     {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
      "ReduceLogSumExp"}},
    {18,
     newest,
     7,
     "g (float[2,3,4] x) => (float[?,?] y) <int64[1] a = {-2}> { y = @(x, a) }",
     {"ReduceMean<keepdims = 0>", "ReduceMax<keepdims = 0>", "ReduceMin<keepdims = 0>",
      "ReduceL1<keepdims = 0, noop_with_empty_axes = 1>", "ReduceSumSquare<keepdims = 0>",
      "ReduceLogSumExp<keepdims = 0>"}},
    {18,
     newest,
     7,
     "g (float[2,3,4] x) => (float[?,?,?] y) <int64[0] a = {}> { y = ReduceMean@(x, a) }",
     {"", "<noop_with_empty_axes = 1>"}},
    {7, 10, 7, "g (float[3,4,5] x) => (float[?,?,?] y) { y = Concat<axis = 1>(x, x) }"},
    {11, newest, 7, "g (float[3,4,5] x) => (float[?,?] y) { z = Concat<axis = -2>(x, x) y = Flatten<axis = -1>(z) }"},
    {11, newest, 7, "g (float[3,4] x) => (int64[?] y) { y = @<axis = -1, keepdims = 0>(x) }", {"ArgMax", "ArgMin"}},
    {12, newest, 12, "g (float[3,4] x) => (int64[?,?] y) { y = ArgMax<axis = 1, select_last_index = 1>(x) }"},
    // Bounds, pads, slices, parts.
    {7,
     10,
     7,
     "g (float[3,4] x) => (float[3,4] y) { y = Clip@(x) }",
     {"", "<min = -0.5>", "<max = 0.25>", "<min = -0.25, max = 0.5>"}},
    {11,
     newest,
     7,
     "g (float[3,4] x) => (float[3,4] y) <float a = {-0.25}, float b = {0.5}> { y = Clip@ }",
     {"(x)", "(x, a)", "(x, , b)", "(x, a, b)"}},
    {7,
     10,
     7,
     "g (float[1,2,4,4] x) => (float[?,?,?,?] y) { y = Pad<pads = [0, 0, 1, 2, 0, 0, 0, 1]@>(x) }",
     {"", ", value = 1.5", ", mode = \"reflect\"", ", mode = \"edge\""}},
    {11,
     newest,
     7,
     "g (float[1,2,4,4] x) => (float[?,?,?,?] y) <int64[8] p = {0, 0, 1, 2, 0, 0, 0, 1}, float v = {1.5}> { y = Pad@ }",
     {"(x, p)", "(x, p, v)", "<mode = \"reflect\">(x, p)"}},
    {18,
     newest,
     7,
     "g (float[1,2,4,4] x) => (float[?,?,?,?] y) <int64[4] p = {1, 2, 0, 1}, int64[2] a = {-1, 2}, float v = {2.5}> { "
     "y = Pad@ }",
     {"(x, p, , a)", "(x, p, v, a)"}},
    {19, newest, 19,
     "g (float[1,2,4,4] x) => (float[?,?,?,?] y) <int64[8] p = {0, 0, 1, 2, 0, 0, 0, 1}> { y = Pad<mode = \"wrap\">(x, "
     "p) }"},
    {7,
     9,
     7,
     "g (float[4,5,6] x) => (float[?,?,?] y) { y = Slice<starts = [1, 0], ends = [3, 4]@>(x) }",
     {"", ", axes = [0, 2]"}},
    {11,
     newest,
     7,
     "g (float[4,5,6] x) => (float[?,?,?] y) <int64[2] b = {1, 0}, int64[2] e = {3, 4}, int64[2] a = {0, -1}, int64[2] "
     "o = {1, 1}> { y = Slice@ }",
     {"(x, b, e)", "(x, b, e, a)", "(x, b, e, a, o)"}},
    {11, newest, 10,
     "g (float[4,5,6] x) => (float[?,?,?] y) <int64[1] b = {0}, int64[1] e = {5}, int64[1] a = {-1}, int64[1] o = {2}> "
     "{ y = Slice(x, b, e, a, o) }"},
    {7,
     12,
     7,
     "g (float[4,6] x) => (float[?,?] y, float[?,?] z) { y, z = Split@(x) }",
     {"", "<axis = 1>", "<axis = 1, split = [2, 4]>"}},
    {13, 17, 7, "g (float[4,6] x) => (float[?,?] y, float[?,?] z) { y, z = Split<axis = -1>(x) }"},
    {13, newest, 7,
     "g (float[4,6] x) => (float[?,?] y, float[?,?] z) <int64[2] s = {2, 4}> { y, z = Split<axis = -1>(x, s) }"},
    {18,
     newest,
     7,
     "g (float[4,@] x) => (float[?,?] y, float[?,?] z) { y, z = Split<axis = 1, num_outputs = 2>(x) }",
     {"6", "7"}},
    {18, newest, 18, "g (float[4,N] x) => (float[?,?] y, float[?,?] z) { y, z = Split<axis = 1, num_outputs = 2>(x) }"},
    {7, 9, 7, "g (float[3,5] x) => (float[?,?] y, int64[?,?] z) { y, z = TopK<k = 2@>(x) }", {"", ", axis = 0"}},
    {11,
     newest,
     7,
     "g (float[3,5] x) => (float[?,?] y, int64[?,?] z) <int64[1] k = {2}> { y, z = TopK@(x, k) }",
     {"", "<axis = 0>", "<axis = -2>", "<largest = 0>", "<largest = 0, axis = 0>"}},
    // Shapes and indices.
    {14,
     newest,
     7,
     "g (float[2,3,4] x) => (float[?,?] y) <int64[2] s = {6, -1}> { y = Reshape<allowzero = @>(x, s) }",
     {"0", "1"}},
    {15,
     newest,
     7,
     "g (float[2,3,4] x) => (int64[?] y) { y = Shape<@>(x) }",
     {"start = 1", "end = -1", "start = -2, end = 5"}},
    {15, newest, 7, "g (float[2,3,4] x) => (int64[?] y) { y = Shape(x) }"},
    {9, 10, 9,
     "g (float[4,3] x, float[1,2] u) => (float[?,?] y) <int64[1,2] i = {0, 2}> { y = Scatter<axis = 1>(x, i, u) }"},
    {11,
     newest,
     9,
     "g (float[4,3] x, float[1,2] u) => (float[?,?] y) <int64[1,2] i = {0, 2}> { y = ScatterElements<axis = @>(x, i, "
     "u) }",
     {"1", "-1"}},
    {16, newest, 16,
     "g (float[4,3] x, float[1,2] u) => (float[?,?] y) <int64[1,2] i = {0, 2}> { y = ScatterElements<axis = 1, "
     "reduction = \"add\">(x, i, u) }"},
    {18, newest, 18,
     "g (float[4,3] x, float[1,3] u) => (float[?,?] y) <int64[1,1] i = {2}> { y = ScatterND<reduction = \"max\">(x, i, "
     "u) }"},
    {11,
     newest,
     7,
     "g (float[2,8,3,2] x) => (float[?,?,?,?] y) { y = DepthToSpace<blocksize = 2, mode = \"@\">(x) }",
     {"DCR", "CRD"}},
    {17, 19, 17, "g (float[1,8,3,1] x) => (float[?,?,?,?] y) { y = DFT@(x) }", {"", "<axis = 2>", "<inverse = 1>"}},
    {20,
     newest,
     17,
     "g (float[1,8,3,1] x) => (float[?,?,?,?] y) <int64 a = {@}> { y = DFT(x, , a) }",
     {"1", "2", "-2"}},
    // Layers.
    {7, 8, 7,
     "g (float[2,3,4] x) => (float[2,3,4] y) <float[3] s = {1, 2, 3}> { y = BatchNormalization<spatial = 1>(x, s, s, "
     "s, s) }"},
    {14,
     newest,
     7,
     "g (float[2,3,4] x) => (float[2,3,4] y) <float[3] s = {1, 2, 3}> { y = BatchNormalization@(x, s, s, s, s) }",
     {"", "<training_mode = 0, epsilon = 0.01>"}},
    {7, 11, 7, "g (float[2,3] x) => (float[2,3] y) { y = Dropout@(x) }", {"", "<ratio = 0.25>"}},
    {7, 11, 7, "g (float[2,3] x) => (float[2,3] y) { y, unread = Dropout@(x) }", {"", "<ratio = 0.25>"}},
    {13,
     newest,
     7,
     "g (float[2,3] x) => (float[2,3] y) <float r = {0.25}, bool t = {0}> { y = Dropout@ }",
     {"(x)", "(x, r)", "(x, r, t)", "(x, , t)"}},
    {11, newest, 7,
     "g (float[2,3] x) => (float[2,4] y) <float[3,4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> { y = Gemm<alpha = "
     "0.5>(x, w) }"},
    {12, newest, 7, "g (float[2,3] x) => (float[2,3] y) <int64[3] e = {1, 2, 3}> { y = Pow(x, e) }"},
    {10,
     newest,
     7,
     "g (float[1,2,7,8] x) => (float[?,?,?,?] y) { y = @(x) }",
     {"MaxPool<kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1>",
      "AveragePool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1], ceil_mode = 1>",
      "MaxPool<kernel_shape = [2, 2], dilations = [1, 1]>", "AveragePool<kernel_shape = [2, 2], ceil_mode = 0>"}},
    {10, newest, 10,
     "g (float[1,2,7,8] x) => (float[?,?,?,?] y) { y = MaxPool<kernel_shape = [2, 2], dilations = [2, 2]>(x) }"},
    // Windows wider than the input.
    {10,
     18,
     7,
     "g (float[1,2,2,1] x) => (float[?,?,?,?] y) { y = AveragePool<@, count_include_pad = 1>(x) }",
     {"kernel_shape = [3, 2], strides = [2, 2]", "kernel_shape = [3, 3], strides = [3, 4]",
      "kernel_shape = [4, 1], strides = [3, 1], pads = [0, 0, 1, 0]",
      "kernel_shape = [3, 1], strides = [2, 1], auto_pad = \"VALID\""}},
    {19,
     newest,
     19,
     "g (float[1,2,2,1] x) => (float[?,?,?,?] y) { y = AveragePool<@, count_include_pad = 1>(x) }",
     {"kernel_shape = [3, 2], strides = [2, 2]", "kernel_shape = [3, 3], strides = [3, 4]",
      "kernel_shape = [4, 1], strides = [3, 1], pads = [0, 0, 1, 0]",
      "kernel_shape = [3, 1], strides = [2, 1], auto_pad = \"VALID\""}},
    {10,
     newest,
     7,
     "g (float[1,2,2,1] x) => (float[?,?,?,?] y) { y = AveragePool<@>(x) }",
     {"kernel_shape = [3, 2], strides = [2, 2]", "kernel_shape = [3, 3], strides = [3, 4]",
      "kernel_shape = [4, 1], strides = [3, 1], pads = [0, 0, 1, 0]",
      "kernel_shape = [3, 1], strides = [2, 1], auto_pad = \"VALID\""}},
    {10,
     newest,
     7,
     "g (float[1,2,2,1] x) => (float[?,?,?,?] y) { y = MaxPool<@>(x) }",
     {"kernel_shape = [3, 2], strides = [2, 2]", "kernel_shape = [3, 3], strides = [3, 4]",
      "kernel_shape = [4, 1], strides = [3, 1], pads = [0, 0, 1, 0]",
      "kernel_shape = [3, 1], strides = [2, 1], auto_pad = \"VALID\""}},
    {19, newest, 19,
     "g (float[1,2,7,8] x) => (float[?,?,?,?] y) { y = AveragePool<kernel_shape = [2, 2], dilations = [2, 2]>(x) }"},
    {19, newest, 7,
     "g (float[1,2,7,8] x) => (float[?,?,?,?] y) { y = AveragePool<kernel_shape = [2, 2], dilations = [1, 1]>(x) }"},
    {18, newest, 7,
     "g (float[1,2,7,8] x) => (float[?,?,?,?] y) { y = LpPool<kernel_shape = [3, 3], strides = [2, 2], ceil_mode = "
     "1>(x) }"},
    {10, 15, 10,
     "g (float[1,2,8,8] x) => (float[?,?,?,?] y) <float[1,4] r = {1, 1, 6, 5}, int64[1] b = {0}> { y = "
     "RoiAlign<output_height = 2, output_width = 3, sampling_ratio = 2>(x, r, b) }"},
    {16, newest, 10,
     "g (float[1,2,8,8] x) => (float[?,?,?,?] y) <float[1,4] r = {1, 1, 6, 5}, int64[1] b = {0}>"
     "{ y = RoiAlign<coordinate_transformation_mode = \"output_half_pixel\", output_height = 2, output_width = 3, "
     "sampling_ratio = 2>(x, r, b) }"},
    {16, newest, 16,
     "g (float[1,2,8,8] x) => (float[?,?,?,?] y) <float[1,4] r = {1, 1, 6, 5}, int64[1] b = {0}> { y = "
     "RoiAlign<output_height = 2, output_width = 3, sampling_ratio = 2>(x, r, b) }"},
    {16,
     19,
     16,
     "g (float[1,2,4,5] x, float[1,3,3,2] p) => (float[?,?,?,?] y) { y = GridSample@(x, p) }",
     {"", "<mode = \"bicubic\">", "<mode = \"nearest\">"}},
    {20,
     newest,
     16,
     "g (float[1,2,4,5] x, float[1,3,3,2] p) => (float[?,?,?,?] y) { y = GridSample@(x, p) }",
     {"", "<mode = \"cubic\">", "<mode = \"nearest\">"}},
    {18, 20, 7,
     "g (float[2,4,3,3] x) => (float[?,?,?,?] y) <float[2] s = {1, 2}, float[2] b = {3, 4}> { y = "
     "GroupNormalization<num_groups = 2>(x, s, b) }"},
    {21, newest, 7,
     "g (float[2,4,3,3] x) => (float[?,?,?,?] y) <float[4] s = {1, 2, 3, 4}, float[4] b = {3, 4, 5, 6}> { y = "
     "GroupNormalization<num_groups = 2>(x, s, b) }"},
    {10, newest, 10,
     "g (float[2,3] x) => (float[?,?] y) <float s = {0.1}, uint8 z = {128}> { q = QuantizeLinear(x, s, z) y = "
     "DequantizeLinear(q, s, z) }"},
    {13, newest, 13,
     "g (float[2,3] x) => (float[?,?] y) <float[3] s = {0.1, 0.2, 0.3}, uint8[3] z = {128, 1, 2}> { q = "
     "QuantizeLinear(x, s, z) y = DequantizeLinear<axis = -1>(q, s, z) }"},
    {17, newest, 9,
     "g (float[2,4] x) => (float[2,4] y) <float[4] s = {1, 2, 3, 4}> { y = LayerNormalization(x, s, s) }"},
    {20, newest, 9, "g (float[2,4] x) => (float[2,4] y) { y = Gelu(x) }"},
    {14, newest, 7, "g (float[2,4] x) => (float[2,4] y) { y = HardSwish(x) }"},
    {8, newest, 8, "g (float[2,4] x, float[4] z) => (float[2,4] y) { y = @(x, z) }", {"Max", "Sum", "Mean"}},
    {8, newest, 7, "g (float[2,4] x, float[2,4] z) => (float[2,4] y) { y = @(x, z) }", {"Max", "Sum", "Mean"}},
};

std::string filled(const std::string &text, const std::string &variant) {
  const auto at = text.find('@');
  return at == std::string::npos ? text : text.substr(0, at) + variant + text.substr(at + 1);
}

Model model_of(const std::string &graph, std::int64_t opset) {
  auto model = parse_model("<ir_version: 10, opset_import: [\"\": " + std::to_string(opset) + "]> " + graph);
  if (!model) throw std::runtime_error(model.error().message + ": " + graph);
  if (const Status typed = infer_types(model->graph, all_ops()); !typed)
    throw std::runtime_error(typed.error().message + ": " + graph);
  return *std::move(model);
}

std::vector<Tensor> inputs_of(const Graph &graph) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> any(-1, 1);
  std::vector<Tensor> feeds;
  for (const ValueId id : graph.inputs()) {
    Dims dims;
    for (const Dim &dim : *graph.value(id).type.shape) dims.push_back(dim.is_known() ? dim.size : 3);
    std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
    for (float &value : values) value = any(random);
    feeds.push_back(Tensor::of(dims, values));
  }
  return feeds;
}

std::vector<Tensor> run(const Graph &graph, const std::vector<Tensor> &feeds) {
  Runner runner(graph, all_ops(), {});
  auto results = runner.run_tensors(feeds);
  if (!results) throw std::runtime_error(results.error().message + ": " + to_text(graph));
  return *std::move(results);
}

bool close(const Tensor &a, const Tensor &b) {
  if (a.dtype != b.dtype || a.dims != b.dims) return false;
  const auto x = to_doubles(a), y = to_doubles(b);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!(std::abs(x[i] - y[i]) <= 1e-5 * (1 + std::abs(x[i]))) && !(std::isnan(x[i]) && std::isnan(y[i])) &&
        x[i] != y[i])
      return false;
  return true;
}

/// One network, one target: the same numbers, or a refusal where the row says so. Whether it was converted.
bool check(const Row &row, const Model &stored, const std::vector<Tensor> &feeds, const std::vector<Tensor> &wanted,
           std::int64_t target) {
  Model converted = stored;
  const Status done = convert_opset(converted, target, &all_ops());
  const std::string where =
      to_text(stored.graph) + " of opset " + std::to_string(stored.graph.opset()) + " in " + std::to_string(target);
  EXPECT_EQ(static_cast<bool>(done), target >= row.reach) << where << (done ? "" : ": " + done.error().message);
  if (!done) {
    EXPECT_EQ(done.error().code, Code::unsupported) << where;
    return false;
  }
  EXPECT_EQ(converted.graph.opset(), target);
  const auto found = run(converted.graph, feeds);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_TRUE(close(found[i], wanted[i])) << where << " became " << to_text(converted.graph);
  const auto bytes = serialize_onnx(converted, {});
  EXPECT_TRUE(bytes) << where << ": " << (bytes ? "" : bytes.error().message);
  return true;
}

TEST(Opsets, ComputeTheSameOrRefuse) {
  int same = 0, refused = 0;
  for (const Row &row : rows)
    for (const std::string &variant : row.variants)
      for (const std::int64_t opset : {row.first, row.last}) {
        const Model stored = model_of(filled(row.graph, variant), opset);
        const auto feeds = inputs_of(stored.graph);
        const auto wanted = run(stored.graph, feeds);
        for (std::int64_t target = oldest; target <= newest; ++target) {
          if (target == opset) continue;
          check(row, stored, feeds, wanted, target) ? ++same : ++refused;
        }
      }
  RecordProperty("same", same);
  RecordProperty("refused", refused);
  EXPECT_GT(same, 4000);
}

} // namespace
} // namespace edgec

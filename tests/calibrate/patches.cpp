// Patches are what the convolution multiplies: dot products with the weights give its output.
#include "calibrate/patches.h"

#include <gtest/gtest.h>

#include <numeric>

#include "calibrate/sample_store.h"
#include "runtime/reorder.h"

namespace edgec {
namespace {

ConvShape shape_3x3() {
  ConvShape shape{.in_channels = 4, .out_channels = 6};
  shape.groups = 2;
  shape.axes[1] = {.in = 5, .out = 3, .kernel = 3, .stride = 2, .dilation = 1, .pad_begin = 1, .pad_end = 1};
  shape.axes[2] = {.in = 6, .out = 4, .kernel = 2, .stride = 1, .dilation = 2, .pad_begin = 0, .pad_end = 0};
  return shape;
}

Tensor ramp(Dims dims) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) - 5;
  return Tensor::of(std::move(dims), std::move(values));
}

std::vector<float> patches(const Tensor &data, const Type &type, Layout layout) {
  std::vector<std::int64_t> positions(12);
  std::iota(positions.begin(), positions.end(), 0);
  std::vector<float> rows(12 * 4 * 6, -1.0F); // what was there before does not show
  fill_patches(shape_3x3(), positions, data, type, layout, rows);
  return rows;
}

TEST(Patches, ReadEachTapOrPadding) {
  const Tensor x = ramp({1, 4, 5, 6});
  const auto rows = patches(x, Type::of(x), Layout::plain);
  const auto at = [&](std::int64_t c, std::int64_t h, std::int64_t w) {
    return x.as<float>()[static_cast<std::size_t>((c * 5 + h) * 6 + w)];
  };
  ASSERT_EQ(rows.size(), 12U * 4 * 6);
  // Position (1, 2): rows 1..3, columns 2 and 4 of each channel.
  const float *row = &rows[(1 * 4 + 2) * 24];
  for (std::int64_t c = 0; c < 4; ++c)
    for (std::int64_t kh = 0; kh < 3; ++kh)
      for (std::int64_t kw = 0; kw < 2; ++kw) EXPECT_EQ(row[(c * 3 + kh) * 2 + kw], at(c, 1 + kh, 2 + 2 * kw));
  for (std::size_t c = 0; c < 4; ++c) EXPECT_EQ(rows[c * 6], 0.0F); // position (0, 0): the first tap is padding
}

TEST(Patches, SameInBothLayouts) {
  const Tensor x = ramp({1, 4, 5, 6});
  std::vector<std::byte> turned(x.data.size());
  reorder(x.data.data(), Layout::plain, turned.data(), Layout::channels_last, x.dims, 4, 1);
  const Tensor last = Tensor::of_bytes(DType::float32, x.dims, std::move(turned));
  EXPECT_EQ(patches(x, Type::of(x), Layout::plain), patches(last, Type::of(last), Layout::channels_last));
}

TEST(Patches, CodesBecomeReals) {
  std::vector<std::uint8_t> codes(120);
  std::iota(codes.begin(), codes.end(), std::uint8_t{3});
  const Tensor x = Tensor::of({1, 4, 5, 6}, codes);
  Type type = Type::of(x);
  type.quant = Quant::per_tensor(0.5F, 10);
  const auto rows = patches(x, type, Layout::plain);
  EXPECT_EQ(rows[(1 * 4 + 2) * 24], 0.5F * (static_cast<float>(codes[1 * 6 + 2]) - 10));
  EXPECT_EQ(rows[0], 0.0F);
}

TEST(Patches, PositionsAreDistinctAndSpread) {
  ConvShape shape{.batch = 2};
  shape.axes[2].out = 500;
  const auto drawn = draw_positions(shape, 100, 5);
  ASSERT_EQ(drawn.size(), 100U);
  for (std::size_t i = 0; i < drawn.size(); ++i) EXPECT_EQ(drawn[i] / 10, static_cast<std::int64_t>(i));
  EXPECT_EQ(draw_positions(shape, 100, 5), drawn);
  EXPECT_NE(draw_positions(shape, 100, 6), drawn);
  EXPECT_EQ(draw_positions(shape, 5000, 5).size(), 1000U);
}

TEST(SampleStore, KeepsInMemoryAndInTheFile) {
  const auto budget = std::make_shared<MemoryBudget>(600);
  SampleStore store(4, budget);
  for (std::size_t i = 0; i < 4; ++i)
    ASSERT_TRUE(store.put(i, Tensor::of({64}, std::vector<float>(64, static_cast<float>(i)))));
  EXPECT_EQ(budget->used, 512U); // two of 256 bytes; the others are in the file
  for (std::size_t i = 0; i < 4; ++i) {
    const auto back = store.get(i);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->dims, Dims{64});
    EXPECT_EQ(back->as<float>()[63], static_cast<float>(i));
  }
  store.drop(0);
  EXPECT_EQ(budget->used, 256U);
}

TEST(TensorKeeper, MapsWhatIsBeyondAFewMegabytes) {
  constexpr std::size_t count = 40, elements = std::size_t{1} << 17; // of 512 KiB
  std::vector<Tensor> kept;
  {
    TensorKeeper keeper;
    for (std::size_t i = 0; i < count; ++i) {
      const auto tensor = keeper.keep(Tensor::of({elements}, std::vector<float>(elements, static_cast<float>(i))));
      ASSERT_TRUE(tensor) << tensor.error().message;
      kept.push_back(*tensor);
    }
    const auto small = keeper.keep(Tensor::of({2}, std::vector<float>{1, 2}));
    ASSERT_TRUE(small);
    EXPECT_EQ(small->data.backing(), Backing::memory);
  }
  std::size_t mapped = 0;
  for (std::size_t i = 0; i < count; ++i) { // the keeper is gone, what it kept is there
    mapped += kept[i].data.backing() == Backing::file ? elements * sizeof(float) : 0;
    EXPECT_EQ(kept_values(kept[i]), std::vector<double>(elements, static_cast<double>(i)));
  }
  EXPECT_EQ(mapped, (count - 16) * elements * sizeof(float));
}

} // namespace
} // namespace edgec

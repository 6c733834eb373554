// Products of columns against their sums in double, of parts of wider rows and of every number of rows.
#include "compress/gram.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/compress/random_matrix.h"

namespace edgec {
namespace {

/// Columns [offset, offset + ka) of a with the last kb of b, which end where the memory ends.
void expect_sums_of_products(std::size_t rows, std::size_t offset, std::size_t ka, std::size_t kb) {
  SCOPED_TRACE(testing::Message() << rows << " rows, " << ka << " columns from " << offset << " on, " << kb);
  const std::size_t wide_a = offset + ka + 3, wide_b = kb + 12;
  const Matrix a = random_matrix(rows, wide_a, 1), b = random_matrix(rows, wide_b, 2);
  const std::vector<float> x(a.data.begin(), a.data.end()), y(b.data.begin(), b.data.end());
  std::vector<float> sums(ka * kb, std::numeric_limits<float>::quiet_NaN());
  gram(rows, x.data() + offset, ka, wide_a, y.data() + wide_b - kb, kb, wide_b, sums.data());
  for (std::size_t i = 0; i < ka; ++i)
    for (std::size_t j = 0; j < kb; ++j) {
      double expected = 0;
      for (std::size_t row = 0; row < rows; ++row) expected += a(row, offset + i) * b(row, wide_b - kb + j);
      ASSERT_NEAR(sums[i * kb + j], expected, 1e-4) << i << ", " << j;
    }
}

TEST(Gram, IsTheSumOfProducts) {
  for (const std::size_t rows : {0U, 1U, 2U, 37U, 300U})
    for (const auto &[offset, ka, kb] : {std::tuple(0U, 1U, 1U),
                                         {2U, 9U, 9U},
                                         {12U, 9U, 9U},
                                         {0U, 9U, 10U},
                                         {5U, 27U, 27U},
                                         {64U, 64U, 144U},
                                         {1U, 70U, 3U}})
      expect_sums_of_products(rows, offset, ka, kb);
}

} // namespace
} // namespace edgec

// Codes of one weight by static range asymmetric numeral systems (Duda 2013, arXiv 1311.2540): a table of frequencies
// for each class of density (density.h), four interleaved states (Giesen 2014, arXiv 1402.3392).
#pragma once

#include <vector>

#include "codec/density.h"
#include "codec/frequencies.h"
#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// How a weight is to be coded: its levels, and the tables that sums of levels share.
struct RansPlan {
  Levels levels;
  std::vector<std::uint8_t> table_of_sum; ///< by sum of levels; ascending, as many as there are sums
  std::vector<LogTable> tables;
  int step = 4;
  double bits = 0; ///< of the whole stream, within rounding
};

/// The cheapest plan found for codes of a shape without a zero in it.
RansPlan plan_rans(std::span<const std::int8_t> codes, const CodeShape &shape);

/// A varint with the size of the side information, that, then 16-bit words.
std::vector<std::byte> encode_rans(std::span<const std::int8_t> codes, const CodeShape &shape, const RansPlan &plan);

/// The reverse; codes.size() is the shape's count. Any stream may be given; error: it is none for this shape.
Status decode_rans(ByteView stream, const CodeShape &shape, std::span<std::int8_t> codes);

} // namespace edgec

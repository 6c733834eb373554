#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "codec/parts.h"
#include "codec/varint.h"
#include "support/random.h"

namespace edgec {
namespace {

using Bytes = std::vector<std::byte>;

Bytes codes(Random &random, std::size_t count) {
  Bytes bytes(count);
  for (std::byte &byte : bytes) byte = static_cast<std::byte>(random.below(3) + random.below(3) - 2);
  return bytes;
}

/// Buffers packed each in its own way, and what they must become together.
struct Joined {
  std::vector<Bytes> raw;
  std::vector<Packed> packed;
  std::vector<Part> parts;
  Bytes expected, stream;
};

Joined join(std::vector<Bytes> raw, const std::vector<Content> &contents) {
  Joined joined{std::move(raw), {}, {}, {}, {}};
  for (std::size_t i = 0; i < joined.raw.size(); ++i)
    joined.packed.push_back(pack_smallest(joined.raw[i], contents[i], 3));
  for (std::size_t i = 0; i < joined.raw.size(); ++i) {
    const Packed &packed = joined.packed[i];
    joined.parts.push_back(
        {packed.packing, packed.packing.is_plain() ? ByteView(joined.raw[i]) : ByteView(packed.bytes)});
    joined.expected.resize((joined.expected.size() + 15) / 16 * 16);
    joined.expected.insert(joined.expected.end(), joined.raw[i].begin(), joined.raw[i].end());
  }
  joined.stream = join_parts(joined.parts);
  return joined;
}

Joined mixed() {
  Random random(1);
  Bytes floats(4001 * 4), noise(37), nibbles(501);
  for (std::size_t i = 0; i < floats.size(); i += 4) { // 13 bits of mantissa, 4 exponents
    floats[i + 1] = static_cast<std::byte>(random.below(8) * 32);
    floats[i + 2] = static_cast<std::byte>(random.bits());
    floats[i + 3] = static_cast<std::byte>(0x3e + random.below(2));
  }
  for (std::byte &byte : noise) byte = static_cast<std::byte>(random.bits());
  for (std::byte &byte : nibbles)
    byte = static_cast<std::byte>(random.below(8) / 7 + 16 * (15 * (random.below(8) / 7)));
  return join({codes(random, 90000), floats, noise, nibbles, codes(random, 64 * 9)},
              {{.width = 1, .code_bits = 8, .is_signed = true, .shapes = {{100, 100, 9}}},
               {.width = 4, .is_float = true},
               {.width = 1},
               {.width = 1, .code_bits = 4, .is_signed = true, .shapes = {{501, 2, 1}}},
               {.width = 1, .code_bits = 8, .is_signed = true, .shapes = {{32, 1, 9}, {32, 9, 1}}}});
}

TEST(Parts, ComeBackEachInItsPlaceForAnyThreads) {
  const Joined joined = mixed();
  EXPECT_EQ(to_string(joined.packed[0].packing), "rans");
  EXPECT_EQ(to_string(joined.packed[1].packing), "floats");
  EXPECT_EQ(to_string(joined.packed[2].packing), "plain");
  EXPECT_EQ(to_string(joined.packed[3].packing), "codes+contexts");
  EXPECT_EQ(to_string(joined.packed[4].packing), "contexts");
  EXPECT_EQ(part_offsets(joined.parts).back(), joined.expected.size());
  const Packing packing{0, static_cast<std::uint8_t>(Compressor::parts), joined.expected.size(),
                        joined.expected.size()};
  for (const int threads : {1, 2, 5}) EXPECT_EQ(unpack(joined.stream, packing, threads).value(), joined.expected);
}

TEST(Parts, AreRefusedWhereTheyDoNotFit) {
  const Joined joined = mixed();
  const std::size_t size = joined.expected.size();
  for (std::size_t cut = 0; cut < joined.stream.size(); cut += 7)
    ASSERT_FALSE(unpack_parts(ByteView(joined.stream).first(cut), size, 1)) << cut;
  Bytes longer = joined.stream;
  longer.push_back({});
  EXPECT_EQ(unpack_parts(longer, size, 1).error().message, "1 bytes behind its last part");
  EXPECT_FALSE(unpack_parts(joined.stream, size + 1, 1));
  EXPECT_FALSE(unpack_parts(joined.stream, size - 1, 1));
  const Packed &first = joined.packed[0];
  const Part inner{{0, static_cast<std::uint8_t>(Compressor::parts), 9000, 9000}, first.bytes};
  EXPECT_EQ(split_parts(join_parts({&inner, 1})).error().message, "part 0 has parts itself");
  Bytes wrapping; // sizes whose sum is beyond 64 bits
  put_varint(wrapping, 300);
  for (int i = 0; i < 300; ++i) {
    wrapping.insert(wrapping.end(), {std::byte{0}, std::byte{0}});
    put_varint(wrapping, (std::uint64_t{1} << 56) - 1);
    put_varint(wrapping, 0);
  }
  EXPECT_FALSE(unpack_parts(wrapping, size, 1));
}

TEST(Pack, CodesOfAnyWidthAndShapeComeBack) {
  Random random(2);
  const std::vector<std::vector<std::int64_t>> all_dims{{},    {7}, {6, 5}, {4, 3, 5}, {8, 4, 3, 3}, {2, 3, 2, 2, 3},
                                                        {0, 4}};
  for (const int bits : {2, 4, 8})
    for (const auto &dims : all_dims)
      for (const bool is_signed : {false, true}) {
        std::int64_t count = 1;
        for (const std::int64_t dim : dims) count *= dim;
        Bytes raw((static_cast<std::size_t>(count * bits) + 7) / 8);
        for (std::byte &byte : raw) byte = static_cast<std::byte>(random.below(4) == 0 ? random.bits() : 0);
        Content content{.width = 1, .code_bits = bits, .is_signed = is_signed};
        const std::size_t held = raw.size() * 8 / static_cast<std::size_t>(bits);
        if (const CodeShape shape = code_shape(dims); shape.count() > 0) {
          content.shapes.push_back(shape);
          if (held > shape.count()) content.shapes.push_back({held - shape.count(), 1, 1});
        }
        const Packed packed = pack_smallest(raw, content, 3);
        if (packed.packing.is_plain()) continue;
        EXPECT_LT(packed.bytes.size(), raw.size());
        EXPECT_EQ(unpack(packed.bytes, packed.packing).value(), raw) << to_string(packed.packing);
      }
}

} // namespace
} // namespace edgec

// The entropy coders: what goes in comes out, sizes are near what information theory allows, and the fast rANS reader
// gives what a reader written from FORMAT.md gives.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "codec/byte_coder.h"
#include "codec/code_cost.h"
#include "codec/code_stream.h"
#include "codec/context_coder.h"
#include "codec/float_coder.h"
#include "codec/rans.h"
#include "codec/rans_side.h"
#include "codec/varint.h"
#include "support/random.h"

namespace edgec {
namespace {

using Bytes = std::vector<std::byte>;
using Codes = std::vector<std::int8_t>;

/// Rounded Laplacian codes; rows and columns differ in scale by up to `spread` octaves.
Codes any_codes(Random &random, const CodeShape &shape, double scale, double spread) {
  const auto scales = [&](std::size_t count) {
    std::vector<double> found(count);
    for (double &each : found) each = std::exp2(spread * (random.uniform() - 0.5));
    return found;
  };
  const auto rows = scales(shape.rows), columns = scales(shape.columns);
  Codes codes;
  for (std::size_t r = 0; r < shape.rows; ++r)
    for (std::size_t c = 0; c < shape.columns; ++c)
      for (std::size_t k = 0; k < shape.taps; ++k) {
        const double size = -std::log(1 - random.uniform()) * scale * rows[r] * columns[c];
        const double code = std::round(random.below(2) == 0 ? size : -size);
        codes.push_back(static_cast<std::int8_t>(std::clamp(code, -128.0, 127.0)));
      }
  return codes;
}

double entropy_bytes(const Codes &codes) {
  std::array<double, 256> counts{};
  for (const std::int8_t code : codes) ++counts[static_cast<std::size_t>(code + 128)];
  double bits = 0;
  for (const double count : counts)
    if (count > 0) bits -= count * std::log2(count / static_cast<double>(codes.size()));
  return bits / 8;
}

Codes through_rans(const Codes &codes, const CodeShape &shape) {
  const Bytes stream = encode_rans(codes, shape, plan_rans(codes, shape));
  Codes read(codes.size(), 77);
  const Status status = decode_rans(stream, shape, read);
  EXPECT_TRUE(status) << status.error().message;
  return read;
}

Codes through_contexts(const Codes &codes, std::span<const CodeShape> shapes) {
  Codes read(codes.size(), 77);
  const Status status = decode_contexts(encode_contexts(codes, shapes), shapes, read);
  EXPECT_TRUE(status) << status.error().message;
  return read;
}

/// A reader without tables, lanes or shortcuts: each code's slots are searched for one by one.
Codes read_slowly(ByteView stream, const CodeShape &shape) {
  const std::size_t side = *take_varint(stream);
  RansPlan plan;
  plan.levels = {std::vector<std::uint8_t>(shape.rows), std::vector<std::uint8_t>(shape.columns),
                 std::vector<std::uint8_t>(shape.taps)};
  BitDecoder coder(stream.first(side));
  EXPECT_TRUE(code_side(coder, plan));
  stream = stream.subspan(side);
  const auto word = [&] {
    const auto low = std::to_integer<std::uint32_t>(stream[0]), high = std::to_integer<std::uint32_t>(stream[1]);
    stream = stream.subspan(2);
    return low + 256 * high;
  };
  std::array<std::uint32_t, 4> states{};
  for (std::uint32_t &state : states) {
    state = word();
    state += word() << 16;
  }
  Codes codes;
  for (std::size_t r = 0, i = 0; r < shape.rows; ++r)
    for (std::size_t c = 0; c < shape.columns; ++c)
      for (std::size_t k = 0; k < shape.taps; ++k, ++i) {
        const int sum = plan.levels.rows[r] + plan.levels.columns[c] + plan.levels.taps[k];
        const LogTable &table = plan.tables[plan.table_of_sum[static_cast<std::size_t>(sum)]];
        const auto shares = *frequencies(table, plan.step);
        std::uint32_t &state = states[i % 4];
        const std::uint32_t slot = state % 4096;
        std::uint32_t start = 0, symbol = 0;
        while (start + shares[symbol] <= slot) start += shares[symbol++];
        codes.push_back(static_cast<std::int8_t>(static_cast<int>(symbol) - 128));
        state = shares[symbol] * (state / 4096) + slot - start;
        if (state < 65536) state = state * 65536 + word();
      }
  EXPECT_TRUE(stream.empty());
  return codes;
}

CodeShape any_shape() {
  return {static_cast<std::size_t>(*rc::gen::inRange(1, 12)), static_cast<std::size_t>(*rc::gen::inRange(1, 12)),
          static_cast<std::size_t>(*rc::gen::element(1, 1, 4, 9, 25))};
}

RC_GTEST_PROP(Coders, GiveBackAnyCodes, ()) {
  Random random(*rc::gen::arbitrary<std::uint64_t>());
  const CodeShape shape = any_shape();
  const Codes codes = any_codes(random, shape, *rc::gen::element(0.02, 0.3, 1.5, 20.0, 1000.0), 3);
  RC_ASSERT(through_rans(codes, shape) == codes);
  RC_ASSERT(through_contexts(codes, {&shape, 1}) == codes);
  RC_ASSERT(read_slowly(encode_rans(codes, shape, plan_rans(codes, shape)), shape) == codes);
}

TEST(Coders, GiveBackWhatIsPeculiar) {
  const CodeShape shape{16, 8, 9};
  Codes alternating(shape.count()), extremes(shape.count());
  for (std::size_t i = 0; i < shape.count(); ++i) {
    alternating[i] = i % 2 == 0 ? std::int8_t{-128} : std::int8_t{127};
    extremes[i] = static_cast<std::int8_t>(i % 256);
  }
  for (const Codes &codes :
       {Codes(shape.count()), Codes(shape.count(), -128), Codes(shape.count(), 5), alternating, extremes}) {
    EXPECT_EQ(through_rans(codes, shape), codes);
    EXPECT_EQ(through_contexts(codes, {&shape, 1}), codes);
  }
  for (const std::int8_t only : Codes{0, 1, -128, 127}) {
    EXPECT_EQ(through_rans({only}, {1, 1, 1}), Codes{only});
    EXPECT_EQ(through_rans({only, 0}, {2, 1, 1}), (Codes{only, 0}));
    const CodeShape one{1, 1, 1};
    EXPECT_EQ(through_contexts({only}, {&one, 1}), Codes{only});
  }
  EXPECT_EQ(through_contexts({}, {}), Codes{});
}

TEST(Coders, ReadSlowlyAndFastAlike) {
  Random random(3);
  const CodeShape shape{33, 21, 9};
  for (const double scale : {0.1, 1.0, 8.0, 60.0}) {
    const Codes codes = any_codes(random, shape, scale, 6);
    const RansPlan plan = plan_rans(codes, shape);
    EXPECT_EQ(read_slowly(encode_rans(codes, shape, plan), shape), codes);
  }
}

TEST(Coders, AContextStreamHoldsSeveralTensors) {
  Random random(4);
  const CodeShape shapes[] = {{8, 8, 9}, {3, 1, 1}, {64, 32, 1}, {1, 5, 2}};
  Codes codes;
  for (const CodeShape &shape : shapes) {
    const Codes part = any_codes(random, shape, 2, 2);
    codes.insert(codes.end(), part.begin(), part.end());
  }
  EXPECT_EQ(through_contexts(codes, shapes), codes);
}

TEST(Coders, ComeNearTheEntropyAndBelowItWhereRowsDiffer) {
  Random random(5);
  const CodeShape shape{128, 64, 9};
  for (const double scale : {0.3, 2.0, 16.0}) {
    const Codes flat = any_codes(random, shape, scale, 0);
    const auto rans = static_cast<double>(encode_rans(flat, shape, plan_rans(flat, shape)).size());
    EXPECT_LT(rans, entropy_bytes(flat) * 1.004 + 40) << scale;
    EXPECT_LT(static_cast<double>(encode_contexts(flat, {&shape, 1}).size()), entropy_bytes(flat) * 1.02 + 40) << scale;
    const Codes uneven = any_codes(random, shape, scale, 4);
    EXPECT_LT(static_cast<double>(encode_rans(uneven, shape, plan_rans(uneven, shape)).size()),
              entropy_bytes(uneven) * 0.97);
    EXPECT_LT(static_cast<double>(encode_contexts(uneven, {&shape, 1}).size()), entropy_bytes(uneven) * 0.98);
  }
}

TEST(Coders, EstimatesAreNearSizes) {
  Random random(6);
  for (const CodeShape &shape : {CodeShape{64, 64, 1}, CodeShape{128, 64, 9}})
    for (const double scale : {0.3, 2.0, 16.0}) {
      const Codes codes = any_codes(random, shape, scale, 2);
      const auto rans = static_cast<double>(encode_rans(codes, shape, plan_rans(codes, shape)).size());
      const auto contexts = static_cast<double>(encode_contexts(codes, {&shape, 1}).size());
      const auto told = static_cast<double>(coded_size(codes, shape));
      EXPECT_NEAR(told, std::min(rans, contexts), 12) << scale;
      EXPECT_NEAR(estimated_bits(codes, shape) / 8, told, told * 0.03);
      const CodePrices prices = learn_prices(codes, shape);
      double bits = 0;
      for (std::size_t r = 0, i = 0; r < shape.rows; ++r)
        for (std::size_t c = 0; c < shape.columns; ++c)
          for (std::size_t k = 0; k < shape.taps; ++k)
            bits += prices.at(r, c, k)[static_cast<std::size_t>(codes[i++] + 128)];
      EXPECT_NEAR(bits / 8, told, told * 0.04);
    }
}

TEST(Coders, StreamsThatWereNeverWrittenAreRefusedOrReadWithinBounds) {
  Random random(7);
  const CodeShape shape{24, 16, 9};
  const Codes codes = any_codes(random, shape, 3, 3);
  const Bytes rans = encode_rans(codes, shape, plan_rans(codes, shape)), contexts = encode_contexts(codes, {&shape, 1});
  Codes read(codes.size());
  for (std::size_t size = 0; size < rans.size(); ++size)
    ASSERT_FALSE(decode_rans(ByteView(rans).first(size), shape, read)) << size;
  for (std::size_t size = 0; size + 5 < contexts.size(); ++size)
    ASSERT_FALSE(decode_contexts(ByteView(contexts).first(size), {&shape, 1}, read)) << size;
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    Bytes damaged = rans;
    damaged[random.below(damaged.size())] ^= static_cast<std::byte>(1 + random.below(255));
    refused += decode_rans(damaged, shape, read) ? 0 : 1;
  }
  EXPECT_GT(refused, 2900); // the four states must end where they began
}

TEST(Coders, ArraysOfBytesKeepTheirPrefixAndTheirZero) {
  Random random(8);
  const CodeShape shape{32, 16, 9};
  Bytes bytes(20 + shape.count());
  for (std::size_t i = 0; i < 20; ++i) bytes[i] = static_cast<std::byte>(random.bits());
  for (std::size_t i = 20; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(130 + random.below(3) + random.below(3));
  const CodeArray array{bytes, 20, 132, {shape}};
  const Codes codes = centred(array);
  EXPECT_LE(*std::ranges::max_element(codes), 2);
  EXPECT_EQ(decode_rans_stream(encode_rans_stream(array, codes, plan_rans(codes, shape)), bytes.size()).value(), bytes);
  EXPECT_EQ(decode_context_stream(encode_context_stream(array, codes), bytes.size()).value(), bytes);
  const Bytes stream = encode_context_stream(array, codes);
  EXPECT_EQ(decode_context_stream(stream, bytes.size() + 1).error().code, Code::bad_input);
  EXPECT_EQ(decode_context_stream(stream, 19).error().message, "the head of coded weights is cut off");
}

TEST(Coders, ShapesAreBounded) {
  // prefix 0, zero 0, one tensor of 2^20 x 2^20 x 1
  Bytes stream{std::byte{0}, std::byte{0}, std::byte{1}};
  for (const std::uint64_t dim : {std::uint64_t{1} << 20, std::uint64_t{1} << 20, std::uint64_t{1}})
    put_varint(stream, dim);
  EXPECT_EQ(decode_context_stream(stream, 1000).error().message,
            "coded weights of 1048576 x 1048576 x 1 where 1000 codes are left");
}

RC_GTEST_PROP(Floats, ComeBackBitForBit, ()) {
  const auto floats = *rc::gen::container<std::vector<std::uint32_t>>(
      rc::gen::oneOf(rc::gen::arbitrary<std::uint32_t>(),
                     rc::gen::element<std::uint32_t>(0, 0x80000000, 0x7fc00001, 0x3f800000, 0x3fc00000)));
  std::vector<std::uint32_t> read(floats.size());
  RC_ASSERT(decode_floats(encode_floats(floats), read));
  RC_ASSERT(read == floats);
}

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

TEST(Floats, HalvesAndStepsOnAGridCostLittle) {
  Random random(9);
  std::vector<std::uint32_t> halves, steps;
  for (int i = 0; i < 1000; ++i) {
    halves.push_back(bits_of(static_cast<float>(random.normal())) & ~0x1fffU); // 10 bits of mantissa
    steps.push_back(bits_of(0.0123F * std::exp2(0.5F * static_cast<float>(random.below(4)))));
  }
  EXPECT_LT(encode_floats(halves).size(), 1800U); // 2000 as they are
  EXPECT_LT(encode_floats(steps).size(), 300U);
  for (const auto &floats : {halves, steps}) {
    std::vector<std::uint32_t> read(floats.size());
    const Bytes stream = encode_floats(floats);
    ASSERT_TRUE(decode_floats(stream, read));
    EXPECT_EQ(read, floats);
    for (std::size_t size = 0; size + 5 < stream.size(); ++size)
      ASSERT_FALSE(decode_floats(ByteView(stream).first(size), read));
  }
}

RC_GTEST_PROP(Records, ComeBack, (const std::vector<std::uint8_t> &numbers)) {
  const Bytes bytes(reinterpret_cast<const std::byte *>(numbers.data()),
                    reinterpret_cast<const std::byte *>(numbers.data() + numbers.size()));
  Bytes read(bytes.size());
  RC_ASSERT(decode_bytes(encode_bytes(bytes), read));
  RC_ASSERT(read == bytes);
}

TEST(Varints, TakeTheirBytesAndNoMore) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 55}) {
    Bytes bytes;
    put_varint(bytes, value);
    bytes.push_back(std::byte{9});
    ByteView rest = bytes;
    EXPECT_EQ(take_varint(rest), value);
    EXPECT_EQ(rest.size(), 1U);
  }
  const Bytes endless(20, std::byte{0x80});
  ByteView rest = endless;
  EXPECT_FALSE(take_varint(rest));
}

} // namespace
} // namespace edgec

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "codec/codes.h"
#include "codec/pack.h"
#include "codec/zstd.h"
#include "support/random.h"

namespace edgec {
namespace {

using Bytes = std::vector<std::byte>;

/// Elements of `width` bytes, a share of them zero, drawn from `values` different ones.
Bytes elements(Random &random, std::size_t count, std::size_t width, std::uint64_t values, double zeros) {
  Bytes raw(count * width);
  for (std::size_t i = 0; i < count; ++i) {
    if (random.uniform() < zeros) continue;
    const std::uint64_t value = random.below(values) * 0x9e3779b97f4a7c15ULL + 1;
    for (std::size_t b = 0; b < width; ++b) raw[i * width + b] = static_cast<std::byte>(value >> (8 * (b % 8)));
  }
  return raw;
}

std::size_t any_width() { return *rc::gen::element<std::size_t>(1, 2, 4, 8); }

Bytes any_elements(std::size_t width, std::uint64_t values) {
  Random random(*rc::gen::arbitrary<std::uint64_t>());
  return elements(random, *rc::gen::inRange<std::size_t>(0, 300), width, values, 0.5);
}

RC_GTEST_PROP(Codes, ComeBackFromAnyWidth, ()) {
  const int bits = *rc::gen::inRange(1, 9);
  const auto codes = *rc::gen::container<std::vector<std::uint8_t>>(
      rc::gen::map(rc::gen::inRange(0, 1 << bits), [](int code) { return static_cast<std::uint8_t>(code); }));
  const Bytes packed = pack_codes(codes, bits);
  RC_ASSERT(packed.size() == (codes.size() * static_cast<std::size_t>(bits) + 7) / 8);
  RC_ASSERT(unpack_codes(packed, bits, codes.size()).value() == codes);
}

TEST(Codes, LieLowBitsFirst) {
  EXPECT_EQ(pack_codes(std::vector<std::uint8_t>{1, 2, 7}, 3), (Bytes{std::byte{0b11010001}, std::byte{0b1}}));
}

TEST(Codes, RefuseWhatDoesNotFit) {
  EXPECT_EQ(unpack_codes(Bytes(2), 9, 1).error().message, "codes of 9 bits, 1 to 8 were expected");
  EXPECT_EQ(unpack_codes(Bytes(2), 3, 3).value(), std::vector<std::uint8_t>(3));
  EXPECT_EQ(unpack_codes(Bytes(1), 3, 3).error().message, "3 codes of 3 bits take 2 bytes, found 1");
  EXPECT_EQ(unpack_codes(Bytes{std::byte{0}, std::byte{2}}, 3, 3).error().message,
            "the bits behind the last code are not zero");
  EXPECT_FALSE(unpack_codes(Bytes(1), 8, SIZE_MAX));
}

RC_GTEST_PROP(Transforms, GiveBackTheirInput, ()) {
  const std::size_t width = any_width();
  const Bytes raw = any_elements(width, *rc::gen::inRange<std::uint64_t>(1, 400));
  const auto sparse = encode_sparse(raw, width);
  RC_ASSERT(decode_sparse(*sparse, raw.size()).value() == raw);
  const auto planes = encode_planes(raw, width);
  RC_ASSERT(decode_planes(*planes, raw.size()).value() == raw);
  const auto count = palette_size(raw, width);
  for (int bits = 1; bits <= 8; ++bits) {
    const auto palette = encode_palette(raw, width, bits);
    RC_ASSERT(palette.has_value() == (!raw.empty() && count && *count <= (std::size_t{1} << bits)));
    if (palette) RC_ASSERT(decode_palette(*palette, raw.size()).value() == raw);
  }
}

RC_GTEST_PROP(Transforms, RefuseOrDecodeAnyPayload, ()) {
  const auto noise = *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::weightedOneOf<std::uint8_t>(
      {{1, rc::gen::arbitrary<std::uint8_t>()}, {2, rc::gen::element<std::uint8_t>(0, 1, 2, 4, 8)}}));
  const ByteView payload = std::as_bytes(std::span(noise));
  const auto size = *rc::gen::inRange<std::size_t>(0, 100);
  for (const auto decode : {decode_palette, decode_sparse, decode_planes}) {
    const auto raw = decode(payload, size);
    if (raw)
      RC_ASSERT(raw->size() == size);
    else
      RC_ASSERT(!raw.error().message.empty());
  }
}

RC_GTEST_PROP(Transforms, RefuseEveryTruncation, ()) {
  const std::size_t width = any_width();
  const Bytes raw = any_elements(width, 5);
  RC_PRE(!raw.empty());
  const auto cut = [](const Bytes &payload) {
    return ByteView(payload).first(*rc::gen::inRange<std::size_t>(0, payload.size()));
  };
  RC_ASSERT(!decode_sparse(cut(*encode_sparse(raw, width)), raw.size()));
  RC_ASSERT(!decode_planes(cut(*encode_planes(raw, width)), raw.size()));
  RC_ASSERT(!decode_palette(cut(*encode_palette(raw, width, 3)), raw.size()));
}

TEST(Transforms, KeepMinusZeroAndNan) {
  const std::vector<float> values{0.0F, -0.0F, std::numeric_limits<float>::quiet_NaN(), 1.0F};
  const ByteView raw = std::as_bytes(std::span(values));
  const auto sparse = encode_sparse(raw, 4);
  EXPECT_EQ(sparse->size(), 1U + 1U + 3U * 4U);
  EXPECT_EQ(decode_sparse(*sparse, raw.size()).value(), Bytes(raw.begin(), raw.end()));
}

TEST(Zstd, RefusesWhatIsNotOneFrameOfTheDeclaredSize) {
  const Bytes raw(1000, std::byte{7});
  Bytes frame = zstd_compress(raw, 19);
  EXPECT_EQ(zstd_decompress(frame, 1000).value(), raw);
  EXPECT_EQ(zstd_decompress(frame, 999).error().message, "the zstd frame holds 1000 bytes, 999 were expected");
  EXPECT_EQ(zstd_decompress(raw, 1000).error().message, "no zstd frame");
  for (std::size_t size = 0; size < frame.size(); ++size)
    EXPECT_FALSE(zstd_decompress(ByteView(frame).first(size), 1000));
  frame.push_back(std::byte{0});
  EXPECT_FALSE(zstd_decompress(frame, 1000));
}

RC_GTEST_PROP(Pack, TheSmallestFormComesBack, ()) {
  const std::size_t width = any_width();
  const Bytes raw = any_elements(width, *rc::gen::inRange<std::uint64_t>(1, 400));
  const Packed packed = pack_smallest(raw, {.width = *rc::gen::element<std::size_t>(0, width)}, 3);
  if (packed.packing.is_plain()) {
    RC_ASSERT(packed.bytes.empty());
  } else {
    RC_ASSERT(packed.bytes.size() < raw.size());
    RC_ASSERT(unpack(packed.bytes, packed.packing).value() == raw);
  }
}

TEST(Pack, PicksTheFormThatSuitsTheData) {
  Random random(1);
  const auto form = [](const Bytes &raw, std::size_t width) {
    return to_string(pack_smallest(raw, {.width = width}, 19).packing);
  };
  EXPECT_EQ(form(elements(random, 4000, 8, UINT64_MAX >> 12, 0), 8), "plain");
  EXPECT_EQ(form(elements(random, 4000, 4, 1U << 31, 0.7), 4), "sparse");
  EXPECT_EQ(form(elements(random, 4000, 4, 16, 0), 4), "palette");
  Bytes gauss(16000); // floats of one exponent: the upper bytes repeat
  for (std::size_t i = 0; i < gauss.size(); ++i)
    gauss[i] = i % 4 == 3 ? std::byte{0x3f} : static_cast<std::byte>(random.bits());
  EXPECT_EQ(form(gauss, 4), "planes+zstd");
  EXPECT_EQ(form(Bytes(1000, std::byte{'a'}), 0), "bytes");
  Bytes text(300000); // more than the slow coder for records is asked to read
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::byte>('a' + random.below(3));
  EXPECT_EQ(form(text, 0), "zstd");
}

TEST(Pack, NeverGrowsBeyondWhatAReaderAllows) {
  const Bytes zeros(std::size_t{8} << 20);
  const Packed packed = pack_smallest(zeros, {.width = 1}, 19);
  EXPECT_LE(packed.packing.coded_size, expansion_limit(packed.bytes.size()));
  EXPECT_EQ(unpack(packed.bytes, packed.packing).value(), zeros);
  const Bytes bomb = zstd_compress(zeros, 19);
  EXPECT_EQ(unpack(bomb, {0, 1, zeros.size(), zeros.size()}).error().code, Code::bad_input);
}

TEST(Pack, NamesWhatItDoesNotKnow) {
  const Bytes bytes(4);
  EXPECT_EQ(unpack(bytes, {9, 0, 4, 4}).error().message, "transform 9 is unknown to this version");
  EXPECT_EQ(unpack(bytes, {0, 7, 4, 4}).error().message, "compressor 7 is unknown to this version");
  EXPECT_EQ(unpack(bytes, {0, 7, 4, 4}).error().code, Code::unsupported);
  EXPECT_EQ(to_string(Packing{2, 7, 0, 0}), "sparse+#7");
}

} // namespace
} // namespace edgec

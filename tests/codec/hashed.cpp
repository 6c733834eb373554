#include "codec/hashed.h"

#include <gtest/gtest.h>

#include "codec/pack.h"

namespace edgec {
namespace {

using Bytes = std::vector<std::byte>;

Bytes hashed_floats(std::size_t count, HashedPlaces places) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 1.0F + static_cast<float>(hashed_slot(places, i)) / 256.0F;
  const ByteView raw = std::as_bytes(std::span(values));
  return {raw.begin(), raw.end()};
}

TEST(Hashed, SlotsAreThoseOfTheFormatsPage) {
  // SplitMix64 of seed 0 begins with e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f.
  constexpr std::uint32_t all = 0xffffffff;
  EXPECT_EQ(hashed_slot({0, all}, 0), 0xe220a838U);
  EXPECT_EQ(hashed_slot({0, 1000}, 0), 0xe220a839ULL * 1000 >> 32);
  EXPECT_EQ(hashed_slot({0, 1000}, 1), 0x6e789e6aULL * 1000 >> 32);
  EXPECT_EQ(hashed_slot({0, 1000}, 2), 0x06c45d18ULL * 1000 >> 32);
  EXPECT_EQ(hashed_slot({9, 1}, 12345), 0U);
}

TEST(Hashed, ComesBackAndRefusesElementsThatDiffer) {
  const HashedPlaces places{42, 50};
  Bytes raw = hashed_floats(400, places);
  const auto payload = encode_hashed(raw, 4, places);
  ASSERT_TRUE(payload);
  EXPECT_EQ(payload->size(), 16U + 50U * 4U);
  EXPECT_EQ(decode_hashed(*payload, raw.size()).value(), raw);
  EXPECT_FALSE(encode_hashed(raw, 4, {43, 50}));
  EXPECT_FALSE(encode_hashed(raw, 4, {42, 401}));
  raw[7] ^= std::byte{1};
  EXPECT_FALSE(encode_hashed(raw, 4, places));
}

TEST(Hashed, RefusesHostilePayloads) {
  const HashedPlaces places{1, 3};
  const Bytes good = *encode_hashed(hashed_floats(10, places), 4, places);
  const auto message = [&](std::size_t at, int value, std::size_t size = 40) {
    Bytes bad = good;
    bad[at] = static_cast<std::byte>(value);
    const auto raw = decode_hashed(bad, size);
    return raw ? std::string() : raw.error().message;
  };
  EXPECT_EQ(message(0, 3), "elements of 3 bytes, 1, 2, 4 or 8 were expected");
  EXPECT_EQ(message(4, 0), "0 stored for 10 hashed elements");
  EXPECT_EQ(message(4, 11), "11 stored for 10 hashed elements");
  EXPECT_EQ(message(7, 255), "4278190083 stored for 10 hashed elements");
  EXPECT_EQ(message(4, 4), "the payload has 28 bytes, 32 were expected");
  EXPECT_EQ(message(2, 1), "the payload has 28 bytes, 28 were expected");
  EXPECT_EQ(message(0, 4, 41), "41 bytes are not a whole number of elements of 4 bytes");
  EXPECT_EQ(message(0, 4, 8), "3 stored for 2 hashed elements");
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(decode_hashed(ByteView(good).first(size), 40));
}

TEST(Hashed, IsWhatPackingTakesWhereItIsTold) {
  const HashedPlaces places{5, 400};
  const Bytes raw = hashed_floats(4000, places);
  Content content{.width = 4, .is_float = true};
  const Packed blind = pack_smallest(raw, content, 3);
  content.hashed = places;
  const Packed told = pack_smallest(raw, content, 3);
  EXPECT_EQ(told.packing.transform, static_cast<std::uint8_t>(Transform::hashed));
  EXPECT_LT(told.bytes.size(), blind.bytes.size() / 4);
  EXPECT_EQ(unpack(told.bytes, told.packing).value(), raw);
}

TEST(Hashed, SaysItselfInMetadata) {
  const auto places = parse_hashed(to_text({77, 12}));
  ASSERT_TRUE(places);
  EXPECT_EQ(places->seed, 77U);
  EXPECT_EQ(places->count, 12U);
  for (const char *bad : {"", "7", "7 ", "7 -1", "7 4294967296", "7 1 ", "x 1"}) EXPECT_FALSE(parse_hashed(bad)) << bad;
}

} // namespace
} // namespace edgec

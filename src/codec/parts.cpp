#include "codec/parts.h"

#include <algorithm>
#include <fmt/format.h>

#include "codec/varint.h"
#include "support/parallel.h"

namespace edgec {
namespace {

/// Of a directory's entry: transform and compressor in a byte each.
bool has_coded_size(const Packing &packing) { return packing.transform != 0; }

} // namespace

std::vector<std::byte> join_parts(std::span<const Part> parts) {
  std::vector<std::byte> joined;
  put_varint(joined, parts.size());
  for (const Part &part : parts) {
    joined.push_back(static_cast<std::byte>(part.packing.transform));
    joined.push_back(static_cast<std::byte>(part.packing.compressor));
    put_varint(joined, part.packing.raw_size);
    if (has_coded_size(part.packing)) put_varint(joined, part.packing.coded_size);
    put_varint(joined, part.stored.size());
  }
  for (const Part &part : parts) joined.insert(joined.end(), part.stored.begin(), part.stored.end());
  return joined;
}

std::vector<std::uint64_t> part_offsets(std::span<const Part> parts) {
  std::vector<std::uint64_t> offsets{0};
  std::uint64_t end = 0;
  for (const Part &part : parts) {
    offsets.back() = (end + part_alignment - 1) / part_alignment * part_alignment;
    end = offsets.back() + part.packing.raw_size;
    offsets.push_back(end);
  }
  return offsets;
}

Result<std::vector<Part>> split_parts(ByteView joined) {
  const auto cut_off = [] { return bad_input("the directory of its parts is cut off"); };
  ByteView rest = joined;
  const auto count = take_varint(rest);
  if (!count || *count > rest.size() / 4) return cut_off();
  std::vector<Part> parts(*count);
  std::vector<std::uint64_t> sizes;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (rest.size() < 2) return cut_off();
    Packing &packing = parts[i].packing;
    packing.transform = std::to_integer<std::uint8_t>(rest[0]);
    packing.compressor = std::to_integer<std::uint8_t>(rest[1]);
    rest = rest.subspan(2);
    const auto raw = take_varint(rest);
    const auto coded = has_coded_size(packing) ? take_varint(rest) : raw;
    const auto stored = take_varint(rest);
    if (!raw || !coded || !stored) return cut_off();
    packing.raw_size = *raw;
    packing.coded_size = *coded;
    sizes.push_back(*stored);
    if (packing.compressor == static_cast<std::uint8_t>(Compressor::parts))
      return bad_input(fmt::format("part {} has parts itself", i));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (sizes[i] > rest.size())
      return bad_input(fmt::format("part {} has {} bytes where {} are left", i, sizes[i], rest.size()));
    parts[i].stored = rest.first(sizes[i]);
    rest = rest.subspan(sizes[i]);
  }
  if (!rest.empty()) return bad_input(fmt::format("{} bytes behind its last part", rest.size()));
  return parts;
}

Result<std::vector<std::byte>> unpack_parts(ByteView joined, std::size_t raw_size, int threads) {
  EDGEC_ASSIGN(const std::vector<Part> parts, split_parts(joined));
  const std::vector<std::uint64_t> offsets = part_offsets(parts);
  for (std::size_t i = 0; i < parts.size(); ++i) // one by one: their sum may be beyond 64 bits
    if (offsets[i] > raw_size || parts[i].packing.raw_size > raw_size - offsets[i])
      return bad_input(fmt::format("part {} ends behind the {} bytes that were expected", i, raw_size));
  if (offsets.back() != raw_size) return bad_input(fmt::format("{} bytes, {} were expected", offsets.back(), raw_size));
  std::vector<std::byte> raw(raw_size);
  EDGEC_CHECK(parallel_for(parts.size(), threads, [&](std::size_t i, int) -> Status {
    const Part &part = parts[i];
    EDGEC_ASSIGN(const std::vector<std::byte> found, unpack(part.stored, part.packing).in(fmt::format("part {}", i)));
    std::ranges::copy(found, raw.begin() + static_cast<std::ptrdiff_t>(offsets[i]));
    return {};
  }));
  return raw;
}

} // namespace edgec

// Distinct 32-bit index types, so that a node cannot be taken for a value.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace edgec {

template <class Tag>
struct Id {
  static constexpr std::uint32_t none = UINT32_MAX;
  std::uint32_t index = none;

  [[nodiscard]] constexpr bool valid() const { return index != none; }
  constexpr explicit operator bool() const { return valid(); }
  friend constexpr auto operator<=>(Id, Id) = default;
};

} // namespace edgec

template <class Tag>
struct std::hash<edgec::Id<Tag>> {
  std::size_t operator()(edgec::Id<Tag> id) const noexcept { return std::hash<std::uint32_t>{}(id.index); }
};

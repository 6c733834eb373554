// Which vector instructions may be used.
#pragma once

#include <optional>
#include <string_view>

#include "ir/kernel.h"

namespace edgec {

/// The best instruction set of this processor.
Isa detect_isa();
/// "scalar", "avx2", "avx512", "vnni", "amx".
std::string_view name(Isa isa);
std::optional<Isa> parse_isa(std::string_view name);

/// Whether products of bfloat16 have instructions among those of `isa`: AVX512-BF16, which comes with neither VNNI nor
/// any other set by name, or AMX.
bool has_bfloat16(Isa isa);

/// Keeps oneDNN from using more than `isa`. Process-wide, and of effect only before the first kernel is prepared; gives
/// the limit in force (the first call's, or the processor's).
Isa apply_isa_limit(Isa isa);

} // namespace edgec

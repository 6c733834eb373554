// Codes of weights by adaptive contexts: no tables in the file, so that small tensors cost little, and sparse ones gain
// by their neighbours, rows and columns. A few million codes a second.
#pragma once

#include <vector>

#include "codec/code_shape.h"
#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// Several weights, one after another, each of a shape; what is learnt from one serves the next.
/// codes.size() is the sum of the shapes' counts.
std::vector<std::byte> encode_contexts(std::span<const std::int8_t> codes, std::span<const CodeShape> shapes);

/// The size of encode_contexts in bits, within rounding.
double context_bits(std::span<const std::int8_t> codes, std::span<const CodeShape> shapes);

/// The reverse. Any stream may be given; error: its length is not that of what it became.
Status decode_contexts(ByteView stream, std::span<const CodeShape> shapes, std::span<std::int8_t> codes);

} // namespace edgec

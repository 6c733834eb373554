// Bytes as text.
#pragma once

#include <string>
#include <string_view>

namespace edgec {

/// Base64 of bytes (RFC 4648), padded.
std::string base64(std::string_view bytes);

} // namespace edgec

#include "support/base64.h"

#include <openssl/evp.h>

namespace edgec {

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0'); // one more for the end that is written
  const auto *from = reinterpret_cast<const unsigned char *>(bytes.data());
  EVP_EncodeBlock(reinterpret_cast<unsigned char *>(text.data()), from, static_cast<int>(bytes.size()));
  text.pop_back();
  return text;
}

} // namespace edgec

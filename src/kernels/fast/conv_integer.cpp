#include "kernels/fast/conv_onednn.h"
#include "kernels/fast/conv_tiles.h"

namespace edgec::fast {

Result<Kernel> conv(const ConvShape &shape, const IntegerConv &conv, Run run) {
  auto kernel = conv_onednn(shape, conv, run);
  if (kernel) return kernel;
  return shape.depthwise() ? conv_depthwise(shape, conv, run) : conv_tiles(shape, conv, run);
}

} // namespace edgec::fast

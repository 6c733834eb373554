#include "kernels/fast/conv_onednn.h"

namespace edgec::fast {

Result<Kernel> conv(const ConvShape &shape, const IntegerConv &conv, Run run) { return conv_onednn(shape, conv, run); }

} // namespace edgec::fast

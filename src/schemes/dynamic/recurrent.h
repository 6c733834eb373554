// LSTMs on codes whose ranges are found as they run.
#pragma once

#include "schemes/job.h"

namespace edgec {

/// Where W and R are constant int8 codes with a scale for each row of the gates, here and inside If, Loop and Scan,
///
///   y = LSTM(x, W, R, ...)   becomes   y = com.microsoft.DynamicQuantizeLSTM(x, W', R', ..., scales)
///
/// with the weights transposed: an operator of onnxruntime's own that multiplies integers, where an LSTM behind
/// DequantizeLinear makes reals of all its weights at every run. Says in the name of `pass` which LSTM is left, and
/// why. True if something changed.
Result<bool> quantize_lstms(Graph &graph, const Job &job, std::string_view pass);

} // namespace edgec

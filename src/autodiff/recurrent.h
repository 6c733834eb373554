// Recurrent layers as the operators that they stand for, step by step.
#pragma once

#include "ir/opdef.h"

namespace edgec {

/// Replaces every LSTM, GRU and RNN of a graph whose shapes are all known by products and activations, a few for each
/// step (ONNX LSTM-22, GRU-22, RNN-22). Sorted afterwards. Error (unsupported), with the node's name: lengths of single
/// sequences, activations other than the usual ones, clip, input_forget.
Status unroll_recurrent(Graph &graph, const OpRegistry &ops);

} // namespace edgec

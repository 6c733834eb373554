// Fidelity and accuracy as lines for people and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "measure/fidelity.h"

namespace edgec {

/// "  top-1       58.25 %  466 of 800, standard error 1.7 points" and the same of top-5.
std::string accuracy_text(const Accuracy &accuracy);
/// "  metric      top1 0.5825, of the reference 0.5975".
std::string score_text(const Score &score);
/// Agreement, SQNR of the logits, and of each output.
std::string fidelity_text(const Fidelity &fidelity);
/// "32.4 dB", "equal".
std::string sqnr_text(const Noise &noise);

nlohmann::ordered_json to_json(const Accuracy &accuracy);
/// Keys as in score.py's spirit: samples, top1, agreement, sqnr_db (null: equal), outputs.
nlohmann::ordered_json to_json(const Fidelity &fidelity);

} // namespace edgec

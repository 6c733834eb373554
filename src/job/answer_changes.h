// Answers that changed, named and with pictures, for the report.
#pragma once

#include "job/dataset.h"
#include "measure/answer_changes.h"
#include "measure/fidelity.h"

namespace edgec {

/// Of what was measured on `data`; nothing: its samples have no one answer each, or nothing was compared.
std::optional<AnswerChanges> answer_changes(const Fidelity &fidelity, const Dataset &data);

} // namespace edgec

// Functions compiled for several vector widths.
#pragma once

/// The compiler makes a version for each of these instruction sets, the loader picks one. Loops that only add integers,
/// or floats that do not depend on each other, give the same bits in each.
#if defined(__x86_64__) && !defined(__clang__)
#define EDGEC_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EDGEC_VECTOR_CLONES
#endif

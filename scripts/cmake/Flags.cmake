# Language, warnings, sanitizers, ccache.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g0 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")

find_program(EDGEC_CCACHE ccache)
if(EDGEC_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${EDGEC_CCACHE})
endif()

# Integer results must not depend on contraction of a*b+c: kernels write std::fma where they mean it.
add_compile_options(-ffp-contract=off -fno-math-errno -fno-trapping-math)
add_library(edgec_warnings INTERFACE)
target_compile_options(edgec_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                       -Wnon-virtual-dtor -Wno-missing-field-initializers)
if(EDGEC_WARNINGS_AS_ERRORS)
  target_compile_options(edgec_warnings INTERFACE -Werror)
endif()
if(EDGEC_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(EDGEC_SANITIZE)
endif()
if(EDGEC_FUZZ) # with EDGEC_SANITIZE: its runtime holds what the programs that are not fuzzers need for linking
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

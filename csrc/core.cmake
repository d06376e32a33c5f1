# The CPU core. Every source by name: a file that is not listed is not built.
pybind11_add_module(_core MODULE NO_EXTRAS
  bindings/beam.cpp
  bindings/convert.cpp
  bindings/formulas.cpp
  bindings/mask.cpp
  bindings/module.cpp
  bindings/recurrent.cpp
  bindings/scan.cpp
  cpu/beam.cpp
  cpu/bitset.cpp
  cpu/formulas.cpp
  cpu/histogram.cpp
  cpu/isa.cpp
  cpu/kernels_scalar.cpp
  cpu/mask.cpp
  cpu/pages.cpp
  cpu/pool.cpp
  cpu/recurrent.cpp
  cpu/scan.cpp
  cpu/scan_state.cpp
  cpu/topk.cpp)
target_include_directories(_core PRIVATE include ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(_core PRIVATE Threads::Threads)
set_target_properties(_core PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
target_compile_definitions(_core PRIVATE MILAN_VERSION="${SKBUILD_PROJECT_VERSION}")
# No contraction into fused multiply-adds: every instruction set must give the same bytes.
target_compile_options(_core PRIVATE
  $<$<COMPILE_LANGUAGE:CXX>:-O3 -ffp-contract=off -fno-math-errno -Wall -Wextra>)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_sources(_core PRIVATE cpu/kernels_avx2.cpp cpu/kernels_avx512.cpp)
  target_compile_definitions(_core PRIVATE MILAN_X86)
  set_source_files_properties(cpu/kernels_avx2.cpp PROPERTIES
    COMPILE_OPTIONS "-mavx2;-mf16c;-mbmi;-mbmi2;-mpopcnt")
  set_source_files_properties(cpu/kernels_avx512.cpp PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mbmi;-mbmi2;-mpopcnt;-mprefer-vector-width=512")
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
  target_sources(_core PRIVATE cpu/kernels_neon.cpp)
  target_compile_definitions(_core PRIVATE MILAN_ARM64)
endif()

install(TARGETS _core LIBRARY DESTINATION milan_core)

# How Weft's libraries and tools are declared.

# Everything compiled with these flags; exceptions are added where ONNX is used.
add_library(WeftOptions INTERFACE)
target_include_directories(WeftOptions INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)
target_include_directories(WeftOptions SYSTEM INTERFACE
  ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_options(WeftOptions INTERFACE
  -Wall -Wextra -Wno-unused-parameter
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-comment>)
target_compile_definitions(WeftOptions INTERFACE ${LLVM_DEFINITIONS_LIST})

# LLVM and MLIR: shared libraries in daily work; in what is shipped, archives, of
# which only what is reached stays.
option(WEFT_STATIC "Link LLVM and MLIR as archives" OFF)
add_library(WeftLLVM INTERFACE)
if(WEFT_STATIC)
  file(GLOB archives ${LLVM_LIBRARY_DIR}/libMLIR*.a ${LLVM_LIBRARY_DIR}/libLLVM*.a)
  list(FILTER archives EXCLUDE REGEX "libMLIRCAPI")
  target_link_libraries(WeftLLVM INTERFACE
    -Wl,--as-needed ${archives} z zstd z3 xml2 ${CMAKE_DL_LIBS} m)
else()
  target_link_libraries(WeftLLVM INTERFACE MLIR LLVM)
endif()

# The one precompiled header, of what nearly every compiler source includes.
add_library(WeftPch STATIC ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(WeftPch PRIVATE WeftOptions)
target_precompile_headers(WeftPch PRIVATE
  $<$<COMPILE_LANGUAGE:CXX>:${PROJECT_SOURCE_DIR}/cmake/pch.h>)

# weft_add_library(NAME sources... [DEPENDS targets...] [LINK targets...])
#
# A static library of the compiler. DEPENDS names TableGen targets, LINK other
# libraries; LLVM and MLIR come with it.
function(weft_add_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC WeftOptions ${ARG_LINK} WeftLLVM)
  target_precompile_headers(${name} REUSE_FROM WeftPch)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# weft_add_tool(NAME sources... [LINK targets...])
function(weft_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE WeftOptions ${ARG_LINK} WeftLLVM)
endfunction()

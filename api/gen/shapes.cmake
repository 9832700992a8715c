# Target fog_shapes: build/gen/api/<room>/<file>.{h,cc} from every api/<room>/<file>.idl.
file(GLOB IDL_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/api/*/*.idl)
set(SHAPE_SOURCES)
set(GENERATOR ${CMAKE_SOURCE_DIR}/api/gen)
foreach(idl IN LISTS IDL_FILES)
  file(RELATIVE_PATH made ${CMAKE_SOURCE_DIR} ${idl})
  string(REGEX REPLACE "\\.idl$" "" made ${made})
  set(made ${CMAKE_BINARY_DIR}/gen/${made})
  # The generator leaves a file alone that would not change, so editing a constraint does not
  # rebuild everything that includes the header.
  add_custom_command(
    OUTPUT ${made}.h ${made}.cc
    COMMAND Python3::Interpreter -B ${GENERATOR}/generate.py ${idl} ${CMAKE_BINARY_DIR}/gen
    DEPENDS ${IDL_FILES} ${GENERATOR}/generate.py ${GENERATOR}/idl.py ${GENERATOR}/emit.py
    COMMENT "shapes of ${idl}" VERBATIM)
  list(APPEND SHAPE_SOURCES ${made}.h ${made}.cc)
endforeach()
# Constant tables: -O1 whatever the build, without the warnings meant for people's code.
add_library(fog_shapes STATIC ${SHAPE_SOURCES})
target_include_directories(fog_shapes PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/gen)
target_compile_options(fog_shapes PRIVATE -O1 -Wall)

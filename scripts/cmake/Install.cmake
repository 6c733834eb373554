# What `cmake --install` puts where: the program, and the rooms up to `job` as one shared library with a CMake package
# (find_package(edgec), target edgec::edgec). Components: program, library, plain (what Debian has other files for).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The file and all of src/ that it includes, relative to src/.
function(edgec_include_closure found)
  set(waiting ${ARGN})
  set(seen "")
  while(waiting)
    list(POP_FRONT waiting header)
    if(header IN_LIST seen)
      continue()
    endif()
    list(APPEND seen ${header})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${header})
    file(STRINGS ${CMAKE_SOURCE_DIR}/src/${header} lines REGEX "^ *# *include *\"")
    list(TRANSFORM lines REPLACE "^[^\"]*\"([^\"]+)\".*$" "\\1")
    list(APPEND waiting ${lines})
  endwhile()
  set(${found} ${seen} PARENT_SCOPE)
endfunction()

# Only what is edgec's own is exported: the libraries inside are nobody else's business.
get_property(rooms GLOBAL PROPERTY EDGEC_ROOMS)
list(REMOVE_ITEM rooms edgec_cli)
set(objects ${rooms})
list(TRANSFORM objects REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
add_library(edgec_library SHARED ${objects})
set_target_properties(edgec_library PROPERTIES
  OUTPUT_NAME edgec EXPORT_NAME edgec
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINK_DEPENDS ${CMAKE_SOURCE_DIR}/scripts/cmake/exported.map)
target_link_libraries(edgec_library PRIVATE ${rooms}) # for the libraries that they link
target_link_options(edgec_library PRIVATE $<$<NOT:$<BOOL:${EDGEC_SANITIZE}>>:-Wl,--no-undefined> -Wl,-Bsymbolic-functions
                    -Wl,--version-script=${CMAKE_SOURCE_DIR}/scripts/cmake/exported.map)
target_compile_features(edgec_library INTERFACE cxx_std_20)
target_include_directories(edgec_library INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/edgec>)

# OpenBLAS with locks is beside the usual folder, see Dependencies.cmake.
set_target_properties(edgec edgec_library PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)

install(TARGETS edgec RUNTIME COMPONENT program)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
# THIRD-PARTY is there once tools/packaging/third_party has written it.
install(FILES LICENSE .github/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT plain)
install(FILES ${CMAKE_BINARY_DIR}/THIRD-PARTY DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT plain OPTIONAL)

# Man pages and completions: what the program prints of itself.
set(pages ${CMAKE_BINARY_DIR}/pages)
add_custom_command(TARGET edgec POST_BUILD VERBATIM
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${pages}
  COMMAND edgec man --folder ${pages}/man1
  COMMAND gzip -9nr ${pages}/man1
  COMMAND edgec completion --folder ${pages})
install(DIRECTORY ${pages}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program)
install(FILES ${pages}/edgec DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
install(FILES ${pages}/edgec.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT program)
install(FILES ${pages}/_edgec DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT plain)

install(TARGETS edgec_library EXPORT edgec LIBRARY COMPONENT library NAMELINK_COMPONENT library)
edgec_include_closure(headers job/compress_file.h)
foreach(header ${headers})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES src/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/edgec/${folder} COMPONENT library)
endforeach()
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/edgec)
install(EXPORT edgec NAMESPACE edgec:: FILE edgecTargets.cmake DESTINATION ${package} COMPONENT library)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/edgecConfig.cmake CONTENT [[
include(CMakeFindDependencyMacro)
find_dependency(nlohmann_json)
include(${CMAKE_CURRENT_LIST_DIR}/edgecTargets.cmake)
set_property(TARGET edgec::edgec APPEND PROPERTY INTERFACE_LINK_LIBRARIES nlohmann_json::nlohmann_json)
]] @ONLY)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/edgecConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/edgecConfig.cmake ${CMAKE_BINARY_DIR}/generated/edgecConfigVersion.cmake
        DESTINATION ${package} COMPONENT library)
install(FILES tests/install/compress.cpp tests/install/CMakeLists.txt
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/example COMPONENT library)

include(${CMAKE_SOURCE_DIR}/tools/packaging/Deb.cmake)

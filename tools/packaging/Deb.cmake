# cpack -G DEB: the program for Debian 12, on Debian's own libraries.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "edgec maintainers <maintainers@users.noreply.edgec.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "make trained neural networks small and fast")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};edgec;program;/" "${CMAKE_BINARY_DIR};edgec;debian;/")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"edgec reads trained neural networks in ONNX, optimizes the graph, prunes,
shares and quantizes weights, writes ONNX that runs anywhere or its own
compact format, reads the written file back and says how faithful it is.")
# Libraries by their symbols; OpenBLAS by name, since any of its builds would satisfy those (Dependencies.cmake).
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS libopenblas0-pthread)
include(CPack)

# What Debian's policy asks for beside the program.
set(debian ${CMAKE_BINARY_DIR}/debian)
execute_process(COMMAND date -u -R -d ${EDGEC_RELEASED} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
file(CONFIGURE OUTPUT ${debian}/changelog.Debian CONTENT
"edgec (@PROJECT_VERSION@-1) bookworm; urgency=medium

  * Changes are in /usr/share/doc/edgec/changelog.gz.

 -- @CPACK_PACKAGE_CONTACT@  @date@
" @ONLY)
file(COPY_FILE .github/CHANGELOG.md ${debian}/changelog)
execute_process(COMMAND gzip -9nkf ${debian}/changelog ${debian}/changelog.Debian)
file(CONFIGURE OUTPUT ${debian}/overrides/edgec CONTENT
"# OpenBLAS's build with locks, whatever the alternative libopenblas.so.0 points to: calls come from several threads
edgec: custom-library-search-path *
# not a package of Debian's archive, which would close the bug that asks for it
edgec: initial-upload-closes-no-bugs *
" @ONLY)
install(FILES ${debian}/changelog.gz ${debian}/changelog.Debian.gz tools/packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT debian EXCLUDE_FROM_ALL)
install(DIRECTORY ${debian}/overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${pages}/_edgec DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
        COMPONENT debian EXCLUDE_FROM_ALL)

// The requests to valgrind that this check needs; without valgrind they do nothing.
#include <stddef.h>
#include <valgrind/memcheck.h>

void e2eeftp_make_secret(const void *start, size_t len) { VALGRIND_MAKE_MEM_UNDEFINED(start, len); }

void e2eeftp_make_public(const void *start, size_t len) { VALGRIND_MAKE_MEM_DEFINED(start, len); }

int e2eeftp_is_watched(void) { return RUNNING_ON_VALGRIND != 0; }

unsigned e2eeftp_fault_count(void) { return VALGRIND_COUNT_ERRORS; }

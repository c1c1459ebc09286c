/* base/library: telling MemorySanitizer what libraries do that it did not compile.  Nothing in any other build.
 *
 * Between LIBRARY_ENTER and LIBRARY_LEAVE what a library hands to the C library is not judged; LIBRARY_WROTE and
 * LIBRARY_WROTE_STRING say that it filled memory of ours. */
#ifndef SLUICE_BASE_LIBRARY_H
#define SLUICE_BASE_LIBRARY_H

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define LIBRARY_ENTER()         __msan_scoped_disable_interceptor_checks()
#define LIBRARY_LEAVE()         __msan_scoped_enable_interceptor_checks()
#define LIBRARY_WROTE(p, n)     __msan_unpoison((p), (n))
#define LIBRARY_WROTE_STRING(s) __msan_unpoison_string(s)
#endif
#endif
#ifndef LIBRARY_ENTER
#define LIBRARY_ENTER()         ((void)0)
#define LIBRARY_LEAVE()         ((void)0)
#define LIBRARY_WROTE(p, n)     ((void)0)
#define LIBRARY_WROTE_STRING(s) ((void)0)
#endif

#endif

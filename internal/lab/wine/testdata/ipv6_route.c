/* Wine 10 gives GetAdaptersAddresses up ("invalid data") where the kernel's
 * table of IPv6 routes has a row that it can't place. Without that file it
 * asks nothing of IPv6's routes and answers; so the file is not there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int hidden(const char *path) {
	return path && strcmp(path, "/proc/net/ipv6_route") == 0;
}

#define OPEN(name)                                                           \
	FILE *name(const char *path, const char *mode) {                     \
		static FILE *(*next)(const char *, const char *);            \
		if (!next)                                                   \
			next = (FILE *(*)(const char *, const char *))       \
				dlsym(RTLD_NEXT, #name);                     \
		if (hidden(path)) {                                          \
			errno = ENOENT;                                      \
			return NULL;                                         \
		}                                                            \
		return next(path, mode);                                     \
	}

OPEN(fopen)
OPEN(fopen64)

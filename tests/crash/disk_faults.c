/* A disk that refuses, for a server under test: LD_PRELOAD this with FOGWATCH_DISK_FAULTS naming a file of 4096
 * bytes, which is mapped; its lines are the faults in force, "OPERATION PART-OF-PATH ERRNO", end of text by a NUL.
 * Operations: write (nothing is written), short (half is written, the next write of that kind fails), sync (fsync
 * and fdatasync), open (files that would be made), rename. "-" for the part means every file under the data. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *faults;

__attribute__((constructor)) static void map_faults(void) {
  const char *name = getenv("FOGWATCH_DISK_FAULTS");
  int fd = name == NULL ? -1 : openat(AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) faults = at;
  close(fd);
}

/* The error number that is in force for this, or 0. */
static int fault(const char *operation, const char *path) {
  if (faults == NULL || faults[0] == 0) return 0;
  char text[4096];
  memcpy(text, faults, sizeof text);
  text[sizeof text - 1] = 0;
  for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
    char what[16], part[256];
    int code = 0;
    if (sscanf(line, "%15s %255s %d", what, part, &code) != 3) continue;
    if (strcmp(what, operation) == 0 && (strcmp(part, "-") == 0 || strstr(path, part) != NULL)) return code;
  }
  return 0;
}

static int fault_of(const char *operation, int fd) {
  if (faults == NULL || faults[0] == 0) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0 || path[0] != '/') return 0; /* sockets and pipes */
  path[n] = 0;
  return strstr(path, "/data") == NULL ? 0 : fault(operation, path);
}

static int fail(int code) {
  errno = code;
  return -1;
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static __thread int half_done;

ssize_t write(int fd, const void *bytes, size_t n) {
  REAL(ssize_t, "write", int, const void *, size_t);
  int code = fault_of("write", fd);
  if (code != 0) return fail(code);
  code = fault_of("short", fd);
  if (code == 0) return real(fd, bytes, n);
  half_done = !half_done;
  return half_done && n > 1 ? real(fd, bytes, n / 2) : fail(code);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  int code = fault_of("write", fd);
  if (code != 0) return fail(code);
  code = fault_of("short", fd);
  if (code == 0) return real(fd, bytes, n, offset);
  half_done = !half_done;
  return half_done && n > 1 ? real(fd, bytes, n / 2, offset) : fail(code);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset) { return pwrite64(fd, bytes, n, offset); }

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  int code = fault_of("sync", fd);
  return code != 0 ? fail(code) : real(fd);
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  int code = fault_of("sync", fd);
  return code != 0 ? fail(code) : real(fd);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  int code = strstr(to, "/data") == NULL ? 0 : fault("rename", to);
  return code != 0 ? fail(code) : real(from, to);
}

static int open_checked(const char *path, int flags, mode_t mode) {
  REAL(int, "open64", const char *, int, ...);
  int code = (flags & O_CREAT) == 0 || strstr(path, "/data") == NULL ? 0 : fault("open", path);
  return code != 0 ? fail(code) : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  return open_checked(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  return open_checked(path, flags, mode);
}

/* Opens a CUDA library at the first call of one of its functions, and jumps there: a program that is linked with this
 * archive in place of the library starts on machines that do not have it. There, functions answer with an error status.
 *
 * Compiled once per library with
 *   SHIM_LIBRARY  its name, without quotes (cuda, cudnn, ...)
 *   SHIM_FILES    the files to try, as C strings separated by commas
 *   SHIM_ABSENT   the status that means "not there" in that library's numbers
 *   SHIM_NAMES    a file with one line F(name) for each function */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define SLOTS JOIN(shim_, SHIM_LIBRARY, _slots)
#define RESOLVE JOIN(shim_, SHIM_LIBRARY, _resolve)

static const char *const files[] = {SHIM_FILES};
static const char *const names[] = {
#define F(name) #name,
#include SHIM_NAMES
#undef F
};

__attribute__((visibility("hidden"))) void *SLOTS[sizeof names / sizeof *names];

static void *library;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static long absent(void) { return SHIM_ABSENT; }
static long zero(void) { return 0; }
static const char *absent_text(void) { return "lib" TEXT(SHIM_LIBRARY) " is not installed on this machine"; }

/* CUDA_SHIM_DIR names a folder to look in before the loader's own ones; CUDA_SHIM_VERBOSE reports what was found. */
static void open_library(void) {
    const char *folder = getenv("CUDA_SHIM_DIR");
    char path[4096];
    for (size_t i = 0; i < sizeof files / sizeof *files && !library; i++) {
        if (folder) {
            snprintf(path, sizeof path, "%s/%s", folder, files[i]);
            library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        }
        if (!library) library = dlopen(files[i], RTLD_NOW | RTLD_GLOBAL);
    }
    if (getenv("CUDA_SHIM_VERBOSE"))
        fprintf(stderr, "cuda shim: lib%s: %s\n", TEXT(SHIM_LIBRARY), library ? "loaded" : dlerror());
}

/* What a function without its library does: most return a status, a few a text or a version. */
static void *stand_in(const char *name) {
    if (strstr(name, "ErrorString") || strstr(name, "GetStatusName") || strstr(name, "GetStatusString") ||
        strstr(name, "GetLastError"))
        return (void *)absent_text;
    if (strstr(name, "GetCudartVersion") || !strcmp(name, "cudnnGetVersion") || !strcmp(name, "cublasLtGetVersion"))
        return (void *)zero;
    return (void *)absent;
}

__attribute__((visibility("hidden"))) void *RESOLVE(int index) {
    pthread_once(&once, open_library);
    void *function = library ? dlsym(library, names[index]) : 0;
    if (!function) function = stand_in(names[index]);
    __atomic_store_n(&SLOTS[index], function, __ATOMIC_RELEASE);
    return function;
}

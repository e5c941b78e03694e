/* SPDX-License-Identifier: MIT */
/*
 * Stands for libFuzzer where there is none: gives each file of the directories that are named to the
 * fuzz target, and reports it as a test case (TAP). A file that breaks the target ends the program.
 */
#include <dirent.h>

#include "fuzz.h"

static int is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In memory of just its size, so that a sanitizer sees a read past the end. */
static uint8_t *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;

    if (!file || fseek(file, 0, SEEK_END))
        return NULL;
    *ret_size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*ret_size ? *ret_size : 1);
    if (bytes && fread(bytes, 1, *ret_size, file) != *ret_size) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    return bytes;
}

static int replay(const char *directory, const char *name)
{
    char path[4096];
    uint8_t *bytes;
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    bytes = read_file(path, &size);
    if (!bytes)
        return -1;
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return 0;
}

static int replay_directory(const char *directory)
{
    struct dirent **seeds;
    int n = scandir(directory, &seeds, is_seed, alphasort), failed = 0, i;

    if (n <= 0) {
        fprintf(stderr, "there are no seeds in %s\n", directory);
        return 1;
    }
    printf("1..%d\n", n);
    for (i = 0; i < n; i++) {
        int err = replay(directory, seeds[i]->d_name);

        printf("%sok %d - %s\n", err ? "not " : "", i + 1, seeds[i]->d_name);
        fflush(stdout);
        failed |= err;
        free(seeds[i]);
    }
    free(seeds);
    return failed != 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "Usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    return replay_directory(argv[1]);
}

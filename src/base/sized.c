/* SPDX-License-Identifier: MIT */
#include "base/sized.h"

#include <errno.h>
#include <string.h>

/* The index of the first byte from @from on that is not 0, or @size. */
static size_t find_nonzero(const unsigned char *bytes, size_t from, size_t size)
{
    while (from < size && !bytes[from])
        from++;
    return from;
}

static int check_size(const struct sized *sized, size_t size, struct error_text *error)
{
    if (size < sized->least)
        return error_set(error, -EINVAL, "size of the %s for %s() is %zu, must be at least %zu",
                         sized->type, sized->function, size, sized->least);
    if (size > SIZED_MAX)
        return error_set(error, -E2BIG, "size of the %s for %s() is %zu, must be at most %d",
                         sized->type, sized->function, size, SIZED_MAX);
    /* So that no member is cut. */
    if (size % sized->alignment)
        return error_set(error, -EINVAL,
                         "size of the %s for %s() is %zu, must be a multiple of %zu", sized->type,
                         sized->function, size, sized->alignment);
    return 0;
}

bool sized_has(const struct sized *sized, size_t size, size_t end)
{
    struct error_text unheard;

    return size >= end && !check_size(sized, size, &unheard);
}

int sized_check(const struct sized *sized, const void *given, size_t size, struct error_text *error)
{
    const unsigned char *bytes = given;
    struct error_text unheard;
    size_t unknown;
    int err;

    if (!error)
        error = &unheard;
    err = check_size(sized, size, error);
    if (err)
        return err;
    unknown = find_nonzero(bytes, sized->known, size);
    if (unknown < size)
        return error_set(error, -E2BIG,
                         "byte %zu of the %s for %s() is 0x%02x, must be 0: this "
                         "library knows %zu bytes",
                         unknown, sized->type, sized->function, bytes[unknown], sized->known);
    return 0;
}

void sized_copy(const struct sized *sized, const void *given, size_t size, void *ret)
{
    memset(ret, 0, sized->known);
    memcpy(ret, given, size < sized->known ? size : sized->known);
}

int sized_take(const struct sized *sized, const void *given, void *ret, struct error_text *error)
{
    const size_t *size = given;
    int err = sized_check(sized, given, *size, error);

    if (!err)
        sized_copy(sized, given, *size, ret);
    return err;
}

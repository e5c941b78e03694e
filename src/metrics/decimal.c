/* SPDX-License-Identifier: MIT */
#include "metrics/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"

/* 2^64 * 10^64 has 84 digits, in limbs of 9. */
enum { LIMBS_MAX = 10, LIMB_DIGITS = 9, DIGITS_MAX = LIMBS_MAX * LIMB_DIGITS };

#define LIMB UINT32_C(1000000000)

/* The bounds that Go's %g has: outside of them a number has an exponent. */
enum { PLAIN_FROM = -4, PLAIN_BELOW = 6 };

/* So many digits of a decimal are in a double, whichever they are. */
enum { EXACT_DIGITS = 15, DOUBLE_DIGITS = 17 };

/* Digits without leading zeros, but for 0 itself; the value is 0.DIGITS * 10^@point. */
struct digits {
    char text[DIGITS_MAX + 1];
    int n, point;
};

bool decimal_can_scale(uint8_t base, int16_t exponent)
{
    return (base == 10 || base == 2) && exponent >= -DECIMAL_EXPONENT_MAX &&
           exponent <= DECIMAL_EXPONENT_MAX;
}

/* ---- digits --------------------------------------------------------------------------------- */

/* @value * @factor^@times */
static void put_product(struct digits *digits, uint64_t value, uint32_t factor, int times)
{
    uint32_t limbs[LIMBS_MAX] = {value % LIMB, value / LIMB % LIMB,
                                 (uint32_t)(value / LIMB / LIMB)};
    size_t top = LIMBS_MAX - 1;

    while (times-- > 0) {
        uint64_t carry = 0;

        for (size_t i = 0; i < LIMBS_MAX; i++) {
            carry += (uint64_t)limbs[i] * factor;
            limbs[i] = (uint32_t)(carry % LIMB);
            carry /= LIMB;
        }
    }
    while (top > 0 && !limbs[top])
        top--;
    digits->n = snprintf(digits->text, sizeof(digits->text), "%u", limbs[top]);
    while (top-- > 0)
        digits->n += snprintf(digits->text + digits->n, LIMB_DIGITS + 1, "%09u", limbs[top]);
}

/* 2^-n is 5^n * 10^-n. */
static void put_digits(struct digits *digits, uint64_t value, uint8_t base, int exponent)
{
    if (base == 2)
        put_product(digits, value, exponent < 0 ? 5 : 2, abs(exponent));
    else
        put_product(digits, value, 1, 0);
    digits->point = digits->n + (base == 10 || exponent < 0 ? exponent : 0);
    while (digits->n > 1 && digits->text[digits->n - 1] == '0')
        digits->n--;
}

/* ---- without an exponent -------------------------------------------------------------------- */

static char *put_zeros(char *at, int n)
{
    if (n <= 0)
        return at;
    memset(at, '0', (size_t)n);
    return at + n;
}

static char *put_some(char *at, const struct digits *digits, int from, int to)
{
    if (to > digits->n)
        to = digits->n;
    if (from >= to)
        return at;
    memcpy(at, digits->text + from, (size_t)(to - from));
    return at + (to - from);
}

static char *put_plain(char *at, const struct digits *digits)
{
    if (digits->point <= 0)
        *at++ = '0';
    at = put_some(at, digits, 0, digits->point);
    at = put_zeros(at, digits->point - digits->n);
    if (digits->n <= digits->point)
        return at;
    *at++ = '.';
    at = put_zeros(at, -digits->point);
    return put_some(at, digits, digits->point > 0 ? digits->point : 0, digits->n);
}

static const uint64_t powers[] = {1,      10,      100,      1000,      10000,
                                  100000, 1000000, 10000000, 100000000, 1000000000};

enum { SHORT_FRACTION = 9 };

/* The way of nearly all values: times in nanoseconds. */
static char *put_fraction(char *at, uint64_t value, int n_digits)
{
    uint64_t fraction = value % powers[n_digits];

    at = u64_to_text(at, value / powers[n_digits]);
    if (!fraction)
        return at;
    *at++ = '.';
    u64_to_digits(at, fraction, (unsigned)n_digits);
    at += n_digits;
    while (at[-1] == '0')
        at--;
    return at;
}

char *decimal_put(char *at, uint64_t value, uint8_t base, int16_t exponent)
{
    struct digits digits;

    if (!exponent || !value)
        return u64_to_text(at, value);
    if (base == 10 && exponent < 0 && exponent >= -SHORT_FRACTION)
        return put_fraction(at, value, -exponent);
    put_digits(&digits, value, base, exponent);
    return put_plain(at, &digits);
}

/* ---- bounds --------------------------------------------------------------------------------- */

/*
 * A decimal of up to 15 digits is the shortest one of its double. Of a longer one the double is what
 * matters: a bound is a double to all who read it.
 */
static void shorten(struct digits *digits)
{
    char text[DIGITS_MAX + 16];
    double bound;

    if (digits->n <= EXACT_DIGITS)
        return;
    snprintf(text, sizeof(text), "%.*se%d", digits->n, digits->text, digits->point - digits->n);
    bound = strtod(text, NULL);
    for (int n = EXACT_DIGITS; n <= DOUBLE_DIGITS; n++) {
        snprintf(text, sizeof(text), "%.*e", n - 1, bound);
        if (strtod(text, NULL) == bound)
            break;
    }
    digits->n = 0;
    for (const char *from = text; *from != 'e'; from++)
        if (*from >= '0' && *from <= '9')
            digits->text[digits->n++] = *from;
    digits->point = atoi(strchr(text, 'e') + 1) + 1;
    while (digits->n > 1 && digits->text[digits->n - 1] == '0')
        digits->n--;
}

char *decimal_put_bound(char *at, uint64_t value, uint8_t base, int16_t exponent)
{
    struct digits digits;
    int power;

    put_digits(&digits, value, base, exponent);
    shorten(&digits);
    power = value ? digits.point - 1 : 0;
    if (power >= PLAIN_FROM && power < PLAIN_BELOW) {
        at = value ? put_plain(at, &digits) : u64_to_text(at, 0);
        if (!value || digits.n <= digits.point)
            at = stpcpy(at, ".0");
        return at;
    }
    *at++ = digits.text[0];
    if (digits.n > 1)
        *at++ = '.';
    at = put_some(at, &digits, 1, digits.n);
    return at + sprintf(at, "e%c%02d", power < 0 ? '-' : '+', abs(power));
}

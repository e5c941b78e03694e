/* SPDX-License-Identifier: MIT */
#include "base/json_number.h"

static void read_string(struct json_numbers *numbers, char byte)
{
    numbers->is_string = numbers->is_escaped || byte != '"';
    numbers->is_escaped = !numbers->is_escaped && byte == '\\';
}

static void add_digit(struct json_numbers *numbers, unsigned digit)
{
    numbers->is_number = true;
    numbers->is_large |= __builtin_mul_overflow(numbers->magnitude, 10, &numbers->magnitude) ||
                         __builtin_add_overflow(numbers->magnitude, digit, &numbers->magnitude);
}

static bool is_integer_that_fits(const struct json_numbers *numbers)
{
    uint64_t most = numbers->is_negative ? UINT64_C(1) << 63 : UINT64_MAX;

    return numbers->is_double || (!numbers->is_large && numbers->magnitude <= most);
}

bool json_numbers_fit(struct json_numbers *numbers, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char byte = bytes[i];

        if (numbers->is_string) {
            read_string(numbers, byte);
        } else if (byte >= '0' && byte <= '9') {
            add_digit(numbers, (unsigned)(byte - '0'));
        } else if (numbers->is_number && (byte == '.' || byte == 'e' || byte == 'E')) {
            numbers->is_double = true;
        } else if (!numbers->is_double || (byte != '+' && byte != '-')) {
            if (!is_integer_that_fits(numbers))
                return false;
            *numbers = (struct json_numbers){.is_string = byte == '"', .is_negative = byte == '-'};
        }
    }
    return true;
}

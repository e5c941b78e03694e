/* SPDX-License-Identifier: MIT */
/*
 * The framing scanner. Each input is given whole, byte by byte, and cut in two at each place: what
 * comes out must be the same.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "frames.h"
#include "base/json_comma.h"
#include "vitals/qmp.h"

/* ---- helpers -------------------------------------------------------------------------------- */

static char *scan_in_two(const uint8_t *bytes, size_t len, size_t cut)
{
    struct scan scan = {.text = {0}};
    char *events;

    scan_feed(&scan, bytes, cut);
    scan_feed(&scan, bytes + cut, len - cut);
    events = strdup(scan_finish(&scan));
    scan_free(&scan);
    return events;
}

static char *scan_by_bytes(const uint8_t *bytes, size_t len)
{
    struct scan scan = {.text = {0}};
    char *events;
    size_t i;

    for (i = 0; i < len; i++)
        scan_feed(&scan, bytes + i, 1);
    events = strdup(scan_finish(&scan));
    scan_free(&scan);
    return events;
}

static void check_equal_and_free(char *events, const char *expected, const char *what, size_t cut)
{
    if (strcmp(events, expected))
        fail_msg("%s (%zu):\n%sexpected:\n%s", what, cut, events, expected);
    free(events);
}

static void check_events(const char *input, size_t len, const char *expected)
{
    const uint8_t *bytes = (const uint8_t *)input;
    size_t cut;

    for (cut = 0; cut <= len; cut++)
        check_equal_and_free(scan_in_two(bytes, len, len - cut), expected, input, len - cut);
    check_equal_and_free(scan_by_bytes(bytes, len), expected, input, 1);
}

#define assert_events(input, expected) check_events((input), sizeof(input) - 1, (expected))
#define STRAY(byte)                    "! JSON parse error, stray '" byte "'\n"
#define BAD_UTF8                       "! JSON parse error, invalid UTF-8 sequence in string\n"
#define BAD_ESCAPE                     "! JSON parse error, invalid escape sequence in string\n"
#define BAD_CHARACTER(escape)          "! JSON parse error, \\u" escape " is not a valid Unicode character\n"
#define NO_END                         "$ JSON parse error, the message has no end\n"

/* The events of a long input, which is cut only at some places. */
static void check_long(const char *input, const char *expected)
{
    const uint8_t *bytes = (const uint8_t *)input;
    size_t len = strlen(input), i;

    check_equal_and_free(scan_in_two(bytes, len, len), expected, "whole", len);
    check_equal_and_free(scan_by_bytes(bytes, len), expected, "by bytes", 1);
    for (i = 1; i < 8; i++)
        check_equal_and_free(scan_in_two(bytes, len, len * i / 8), expected, "cut", len * i / 8);
}

/* The parser's verdict on the last message. */
static bool parser_takes(const char *input)
{
    struct json_tokener *parser = json_tokener_new_ex(VITALS_NESTING_MAX + 2);
    struct scan scan = {.text = {0}};
    size_t comma, len;
    bool taken;

    scan_feed(&scan, (const uint8_t *)input, strlen(input));
    len = scan.last_message.len;
    comma = json_trailing_comma(scan.last_message.data, len);
    assert_int_equal(scan.last_trailing_comma, comma < len ? comma + 1 : 0);
    buf_append(&scan.last_message, "", 1);
    json_object_put(
        json_tokener_parse_ex(parser, scan.last_message.data, (int)scan.last_message.len));
    taken = json_tokener_get_error(parser) == json_tokener_success && !scan.last_trailing_comma;
    json_tokener_free(parser);
    scan_free(&scan);
    return taken;
}

/* ---- where messages end --------------------------------------------------------------------- */

static void nothing_is_no_message(void **state)
{
    (void)state;
    assert_events("", "");
    assert_events(" \t\r\n \n", "");
}

static void a_message_ends_where_its_brackets_balance(void **state)
{
    (void)state;
    assert_events("{}", "{}\n");
    assert_events("{}{}[]", "{}\n{}\n[]\n");
    assert_events("{\"a\":[{},[]]}{\"b\":{}}", "{\"a\":[{},[]]}\n{\"b\":{}}\n");
}

static void brackets_in_strings_do_not_count(void **state)
{
    (void)state;
    assert_events("{\"a\":\"}]\"}", "{\"a\":\"}]\"}\n");
    assert_events("['}',\"\\\"]\"]", "[\"}\",\"\\\"]\"]\n");
}

static void white_space_is_only_between_tokens(void **state)
{
    (void)state;
    assert_events(" {\r\n\t\"a b\" :\n 1 } \r\n{}", "{\"a b\":1}\n{}\n");
}

static void outside_of_brackets_each_token_is_a_message(void **state)
{
    (void)state;
    assert_events("true null 1 \"x\" 'y'\n", "true\nnull\n1\n\"x\"\n\"y\"\n");
}

static void a_closing_bracket_too_many_ends_a_message(void **state)
{
    (void)state;
    assert_events("]{}", "! JSON parse error, expecting value\n{}\n");
    assert_events("{]{}", "! JSON parse error, expecting value\n{}\n");
    assert_events("[}\n{}", "! JSON parse error, expecting value\n{}\n");
}

static void a_row_of_misplaced_ones_is_one_error(void **state)
{
    (void)state;
    assert_events("}}]]{}", "! JSON parse error, expecting value\n{}\n");
    assert_events("{]}{}", "! JSON parse error, expecting value\n{}\n");
    assert_events(":,\n,", "! JSON parse error, expecting value\n"
                           "! JSON parse error, expecting value\n");
}

static void a_number_ends_with_what_follows(void **state)
{
    (void)state;
    assert_events("42\n", "42\n");
    assert_events("42 ", "42\n");
    assert_events("42{}", "42\n{}\n");
    assert_events("42", NO_END);
    assert_events("true", NO_END);
}

/* Grammar is the parser's part; but it must see that these are two tokens. */
static void tokens_that_are_apart_stay_apart(void **state)
{
    static const char *const inputs[] = {"[1 2]",   "[1\n2]",  "[1\t2]",   "[1\r\n2]",    "[0 1]",
                                         "[-1 2]",  "[1.5 2]", "[1e5 6]",  "[1 2.5]",     "[1 2e3]",
                                         "[12 34]", "[1 -2]",  "[1 true]", "{\"a\":1 2}", "[1 0]"};
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(inputs); i++)
        if (parser_takes(inputs[i]))
            fail_msg("'%s' becomes a valid message", inputs[i]);
}

static void what_grammar_refuses_is_left_to_the_parser(void **state)
{
    static const char *const inputs[] = {
        "[1,]",       "[,1]",      "[\"a\"\"b\"]", "{\"a\"}",           "{\"a\":}",      "{1:2}",
        "{\"a\":1,}", "{\"a\" 1}", "[1:2]",        "{\"a\":1 \"b\":2}", "[truefalse\n]", "[1\"a\"]",
        "]",          ":"};
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(inputs); i++)
        assert_false(parser_takes(inputs[i]));
}

/* ---- strings -------------------------------------------------------------------------------- */

static void escapes_become_strict(void **state)
{
    (void)state;
    assert_events("\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\"\n");
    assert_events("\"\\/\\'\"", "\"/'\"\n");
    assert_events("\"\\u0041\\u00e9\\u20AC\\u20ac\"", "\"A\xc3\xa9\xe2\x82\xac\xe2\x82\xac\"\n");
    assert_events("\"\\u0022\\u005c\\u002f\"", "\"\\\"\\\\/\"\n");
    assert_events("\"\\u0001\\u001f\\u007f\"", "\"\\u0001\\u001f\x7f\"\n");
}

static void a_nul_is_two_bytes(void **state)
{
    (void)state;
    assert_events("\"a\\u0000b\"", "\"a\xc0\x80"
                                   "b\"\n");
    assert_events("\"a\xc0\x80"
                  "b\"",
                  "\"a\xc0\x80"
                  "b\"\n");
}

static void unknown_escapes_are_refused(void **state)
{
    (void)state;
    assert_events("\"\\a\"", BAD_ESCAPE);
    assert_events("\"\\0\"", BAD_ESCAPE);
    assert_events("\"\\x41\"", BAD_ESCAPE);
    assert_events("\"\\U0041\"", BAD_ESCAPE);
    assert_events("\"\\\xc3\xa4\"", BAD_ESCAPE);
}

static void an_escape_needs_four_digits(void **state)
{
    static const char *const inputs[] = {"\"\\u\"",     "\"\\u1\"",       "\"\\u12\"",
                                         "\"\\u123\"",  "\"\\uG\"",       "\"\\u00 0\"",
                                         "\"\\u-001\"", "\"\\u\\u0041\"", "\"\\u004x\""};
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(inputs); i++) {
        char *events = scan_in_two((const uint8_t *)inputs[i], strlen(inputs[i]), 0);

        assert_int_equal(strncmp(events, "! JSON parse error, ", 20), 0);
        assert_contains(events, "is not a valid Unicode character\n");
        check_events(inputs[i], strlen(inputs[i]), events);
        free(events);
    }
}

static void surrogates_come_in_pairs(void **state)
{
    (void)state;
    assert_events("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"\n");
    assert_events("\"\\uD800\\uDC00\"", "\"\xf0\x90\x80\x80\"\n");
    assert_events("\"\\udbff\\udffd\"", "\"\xf4\x8f\xbf\xbd\"\n");
    assert_events("\"\\ud83d\"", BAD_CHARACTER("d83d"));
    assert_events("\"\\ud83d \"", BAD_CHARACTER("d83d"));
    assert_events("\"\\ud83d\\n\"", BAD_CHARACTER("d83d"));
    assert_events("\"\\ud83d\\u0041\"", BAD_CHARACTER("d83d"));
    assert_events("\"\\ud83d\\ud83d\"", BAD_CHARACTER("d83d"));
    assert_events("\"\\ud83d\xe2\x82\xac\"", BAD_CHARACTER("d83d"));
    assert_events("\"\\ude00\"", BAD_CHARACTER("de00"));
    assert_events("\"\\ude00\\ud83d\"", BAD_CHARACTER("de00"));
}

static void noncharacters_are_refused(void **state)
{
    (void)state;
    assert_events("\"\\ufdd0\"", BAD_CHARACTER("fdd0"));
    assert_events("\"\\ufdef\"", BAD_CHARACTER("fdef"));
    assert_events("\"\\ufffe\"", BAD_CHARACTER("fffe"));
    assert_events("\"\\uffff\"", BAD_CHARACTER("ffff"));
    assert_events("\"\\ud83f\\udffe\"", BAD_CHARACTER("1fffe"));
    assert_events("\"\\ufdcf\\ufdf0\\ufffd\"", "\"\xef\xb7\x8f\xef\xb7\xb0\xef\xbf\xbd\"\n");
}

static void single_quotes_are_quotes_too(void **state)
{
    (void)state;
    assert_events("''", "\"\"\n");
    assert_events("'a\"b'", "\"a\\\"b\"\n");
    assert_events("\"a'b\"", "\"a'b\"\n");
    assert_events("'it\\'s'", "\"it's\"\n");
    assert_events("{'execute': 'x'}", "{\"execute\":\"x\"}\n");
    assert_events("'a\\\"b'", "\"a\\\"b\"\n");
}

static const char *const good_characters[] = {
    "\x7f",         "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",     "\xed\x9f\xbf",
    "\xee\x80\x80", "\xef\xbf\xbd", "\xf0\x90\x80\x80", "\xf3\xbf\xbf\xbd", "\xf4\x8f\xbf\xbd",
};

static const char *const bad_characters[] = {
    "\x80",
    "\xbf",
    "\xc1\xbf",
    "\xc0\x81",
    "\xe0\x80\x80",
    "\xe0\x9f\xbf",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xef\xbf\xbe",
    "\xef\xbf\xbf",
    "\xef\xb7\x90",
    "\xf0\x80\x80\x80",
    "\xf0\x8f\xbf\xbf",
    "\xf0\x9f\xbf\xbe",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xf7\xbf\xbf\xbf",
    "\xf8",
    "\xfd",
    "\xc2",
    "\xe2\x82",
    "\xf0\x90\x80",
    "\xc2 ",
    "\xe2\x82x",
    "\xc2\xc2\x80",
};

static void characters_are_checked(void **state)
{
    char input[64], expected[128];
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(good_characters); i++) {
        snprintf(input, sizeof(input), "[\"a%sb\"]", good_characters[i]);
        snprintf(expected, sizeof(expected), "%s\n", input);
        check_events(input, strlen(input), expected);
    }
    for (i = 0; i < N_ELEMENTS(bad_characters); i++) {
        snprintf(input, sizeof(input), "[\"%s\", 1]{}", bad_characters[i]);
        check_events(input, strlen(input), BAD_UTF8 "{}\n");
    }
}

static void control_characters_do_not_belong_into_strings(void **state)
{
    (void)state;
    assert_events("[\"a\tb\"]\n{}", STRAY("\"a\t") "{}\n");
    assert_events("[\"a\rb\"]\n{}", STRAY("\"a\r") "{}\n");
    assert_events("[\"a\n{}", STRAY("\"a\n") "{}\n");
}

/* A quote may be the one that is too many: the next command must not be taken for a string. */
static void a_command_behind_a_broken_string_is_found(void **state)
{
    (void)state;
    assert_events("{\"x: \"a_b\"} {\"c\":1}",
                  "! JSON parse error, invalid keyword 'a'\n{\"c\":1}\n");
    assert_events("{\"x\":\"a\x01"
                  "b\"} {\"c\":1}",
                  STRAY("\"a\x01") "{\"c\":1}\n");
    assert_events("{\"x\":\"a\xff"
                  "b\"} {\"c\":1}",
                  STRAY("\"a\xff") "{\"c\":1}\n");
}

static void the_end_of_the_line_ends_a_broken_string(void **state)
{
    (void)state;
    assert_events("{\"a\": \"no end\n{}", STRAY("\"no end\n") "{}\n");
    assert_events("\"no end\n{}", STRAY("\"no end\n") "{}\n");
    assert_events("{\"a\": \"\\\n{}", STRAY("\"\n") "{}\n");
    assert_events("{\"a\": \"\xc3\n{}", BAD_UTF8 "{}\n");
}

/* ---- numbers and keywords ------------------------------------------------------------------- */

static const char *const good_numbers[] = {"0",
                                           "-0",
                                           "1",
                                           "-1",
                                           "10",
                                           "9007199254740993",
                                           "0.5",
                                           "-0.5",
                                           "1.5",
                                           "100.25",
                                           "1e5",
                                           "1E5",
                                           "1e+5",
                                           "1e-5",
                                           "1.5e10",
                                           "0.0e5",
                                           "-1.0E-0",
                                           "1e00",
                                           "0.000",
                                           "123456789012345",
                                           "18446744073709551615",
                                           "9223372036854775807",
                                           "-9223372036854775808"};

static const struct {
    const char *text, *stray;
} bad_numbers[] = {
    {"01", "01"},    {"-01", "-01"},  {"00", "00"},    {"1.", "1.]"},
    {"1.e5", "1.e"}, {"1e", "1e]"},   {"1e+", "1e+]"}, {"-", "-]"},
    {"--1", "--"},   {"-a", "-a"},    {"+1", "+"},     {".5", "."},
    {"1.5.5", "."},  {"1..2", "1.."}, {"- 1", "- "},   {"1. 5", "1. "},
};

static void good_numbers_are_taken_as_they_are(void **state)
{
    char input[64], expected[128];
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(good_numbers); i++) {
        snprintf(input, sizeof(input), "[%s]", good_numbers[i]);
        snprintf(expected, sizeof(expected), "%s\n", input);
        check_events(input, strlen(input), expected);
        assert_true(parser_takes(input));
    }
}

static void integers_of_more_than_64_bits_become_doubles(void **state)
{
    (void)state;
    assert_events("[18446744073709551616]", "[18446744073709551616.0]\n");
    assert_events("[-9223372036854775809]", "[-9223372036854775809.0]\n");
    assert_events("[99999999999999999999999]", "[99999999999999999999999.0]\n");
    assert_events("18446744073709551616\n", "18446744073709551616.0\n");
}

static void bad_numbers_are_refused(void **state)
{
    char input[64], expected[128];
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(bad_numbers); i++) {
        snprintf(input, sizeof(input), "[%s]\n{}", bad_numbers[i].text);
        snprintf(expected, sizeof(expected), STRAY("%s") "{}\n", bad_numbers[i].stray);
        check_events(input, strlen(input), expected);
    }
}

static void a_zero_takes_no_exponent(void **state)
{
    (void)state;
    assert_events("[0e5]{}", "! JSON parse error, invalid keyword 'e'\n{}\n");
    assert_events("[0.0e5]", "[0.0e5]\n");
}

static void keywords_are_three(void **state)
{
    (void)state;
    assert_events("[true,false,null]", "[true,false,null]\n");
    assert_events("[truth]{}", "! JSON parse error, invalid keyword 'truth'\n{}\n");
    assert_events("[nul]{}", "! JSON parse error, invalid keyword 'nul'\n{}\n");
    assert_events("[nulll]{}", "! JSON parse error, invalid keyword 'nulll'\n{}\n");
    assert_events("quit\n", "! JSON parse error, invalid keyword 'quit'\n");
    assert_events("[True]\n{}", STRAY("T") "{}\n");
    assert_events("[NaN]\n{}", STRAY("N") "{}\n");
    assert_events("[-Infinity]\n{}", STRAY("-I") "{}\n");
}

static void bytes_that_start_no_token_are_stray(void **state)
{
    char input[16], expected[64];
    int byte;

    (void)state;
    for (byte = 0x20; byte < 0xfe; byte++) {
        if (strchr(" \"'{}[]:,-", byte) || (byte >= '0' && byte <= '9') ||
            (byte >= 'a' && byte <= 'z'))
            continue;
        snprintf(input, sizeof(input), "[%c]\n{}", byte);
        snprintf(expected, sizeof(expected), STRAY("%c") "{}\n", byte);
        check_events(input, strlen(input), expected);
    }
}

/* ---- after an error ------------------------------------------------------------------------- */

static void clear_tokens_are_skipped_to_the_end_of_the_message(void **state)
{
    (void)state;
    assert_events("{\"a\":\"\\x\",\n\"b\":[1,\n{}]}{\"c\":1}", BAD_ESCAPE "{\"c\":1}\n");
    assert_events("[\"\\ud83d\", [1], \"]\"] {}", BAD_CHARACTER("d83d") "{}\n");
    assert_events("\"\\x\"{}", BAD_ESCAPE "{}\n");
}

static void unclear_tokens_are_skipped_to_the_end_of_the_message(void **state)
{
    (void)state;
    assert_events("{\"a\": @ }{\"c\":1}", STRAY("@") "{\"c\":1}\n");
    assert_events("[1, [@, 2], 3]{\"c\":1}", STRAY("@") "{\"c\":1}\n");
}

static void unclear_tokens_are_skipped_to_the_end_of_the_line(void **state)
{
    (void)state;
    assert_events("{\"a\": [@ \n{\"c\":1}", STRAY("@") "{\"c\":1}\n");
    assert_events("{\"a\": @ \"} \n{\"c\":1}", STRAY("@") "{\"c\":1}\n");
    assert_events("{\"a\": @ '} \r\n{\"c\":1}", STRAY("@") "{\"c\":1}\n");
    assert_events("@ 1 2 3 true\n4\n", STRAY("@") "4\n");
}

static void a_bracket_starts_afresh_behind_a_stray_byte(void **state)
{
    (void)state;
    assert_events("@@@ {\"c\":1}", STRAY("@") "{\"c\":1}\n");
    assert_events("GET / HTTP/1.1\r\n{}", STRAY("G") "{}\n");
}

static void what_is_wrong_is_reported_once(void **state)
{
    (void)state;
    assert_events("{\"a\":\"\\x\\y\xc3(\", \"b\": \"\\u1\"}{}", BAD_ESCAPE "{}\n");
    assert_events("[@, @, \"\\x\", tru]{}", STRAY("@") "{}\n");
    assert_events("[\"\\x\", @]{}", BAD_ESCAPE "{}\n");
}

static void a_reset_byte_ends_any_message(void **state)
{
    (void)state;
    assert_events("\xff{}", STRAY("\xff") "{}\n");
    assert_events("\xfe{}", STRAY("\xfe") "{}\n");
    assert_events("{\"a\":[1,2,\xff{}", STRAY("\xff") "{}\n");
    assert_events("{\"a\":\"b\xff{}", STRAY("\"b\xff") "{}\n");
    assert_events("{\"a\":\"\\\xff{}", STRAY("\"\xff") "{}\n");
    assert_events("{\"a\":\"\\u00\xff{}", STRAY("\"\xff") "{}\n");
    assert_events("{\"a\":\"\\ud83d\xff\"A\"\n{}", STRAY("\"\xff") "{}\n");
    assert_events("{\"a\":\"\xe2\xff{}", STRAY("\"\xff") "{}\n");
    assert_events("[12\xff{}", STRAY("12\xff") "{}\n");
    assert_events("[tru\xff{}", STRAY("tru\xff") "{}\n");
}

static void a_reset_byte_is_always_reported(void **state)
{
    (void)state;
    assert_events("\xff\xff{}", STRAY("\xff") STRAY("\xff") "{}\n");
    assert_events("{\"a\": @ \xff{}", STRAY("@") STRAY("\xff") "{}\n");
    assert_events("{\"a\": \"\\x\xff{}", BAD_ESCAPE STRAY("\xff") "{}\n");
}

static void control_characters_are_reset_bytes(void **state)
{
    char input[16], expected[64];
    int byte;

    (void)state;
    for (byte = 1; byte < 0x20; byte++) {
        if (strchr("\t\r\n", byte))
            continue;
        snprintf(input, sizeof(input), "{\"a\":\"%c{}", byte);
        snprintf(expected, sizeof(expected), STRAY("\"%c") "{}\n", byte);
        check_events(input, strlen(input), expected);
    }
    assert_events("{\"a\":\"\0{}", STRAY("\"") "{}\n");
}

/* ---- the end of the stream ------------------------------------------------------------------ */

static void half_a_message_is_an_error(void **state)
{
    (void)state;
    assert_events("{", NO_END);
    assert_events("{}{\"a\":", "{}\n" NO_END);
    assert_events("\"a", NO_END);
    assert_events("\"\\", NO_END);
    assert_events("\"\\u12", NO_END);
    assert_events("\"\xe2\x82", NO_END);
    assert_events("-", NO_END);
    assert_events("1e", NO_END);
}

static void what_was_refused_needs_no_end(void **state)
{
    (void)state;
    assert_events("{\"a\": @", STRAY("@"));
    assert_events("{\"a\": \"\\x", BAD_ESCAPE);
}

/* ---- limits --------------------------------------------------------------------------------- */

static char *repeat(const char *start, char middle, size_t n, const char *end)
{
    size_t len = strlen(start);
    char *text = malloc(len + n + strlen(end) + 1);

    strcpy(text, start);
    memset(text + len, middle, n);
    strcpy(text + len + n, end);
    return text;
}

static void a_message_may_have_1_mib(void **state)
{
    char *input = repeat("{\"a\":\"", 'x', VITALS_MESSAGE_MAX - 8, "\"}");
    char *expected = repeat("{\"a\":\"", 'x', VITALS_MESSAGE_MAX - 8, "\"}\n");

    (void)state;
    assert_int_equal(strlen(input), VITALS_MESSAGE_MAX);
    check_long(input, expected);
    free(input);
    free(expected);
}

static void one_byte_more_is_too_large(void **state)
{
    char *in_string = repeat("{\"a\":\"", 'x', VITALS_MESSAGE_MAX - 7, "\"}\n{}");
    char *in_space = repeat("{\"a\":1", ' ', VITALS_MESSAGE_MAX - 6, "}\n{}");
    char *in_token = repeat("\"", 'x', VITALS_MESSAGE_MAX, "\"\n{}");

    (void)state;
    check_long(in_string, "! JSON token size limit exceeded\n{}\n");
    check_long(in_space, "! JSON token size limit exceeded\n{}\n");
    check_long(in_token, "! JSON token size limit exceeded\n{}\n");
    free(in_string);
    free(in_space);
    free(in_token);
}

static void spaces_between_messages_do_not_count(void **state)
{
    char *input = repeat("{}", ' ', 2 * VITALS_MESSAGE_MAX, "{}");

    (void)state;
    check_long(input, "{}\n{}\n");
    free(input);
}

static void the_rest_of_a_large_message_is_not_kept(void **state)
{
    char *input = repeat("{\"a\":\"", 'x', VITALS_MESSAGE_MAX, "");
    struct scan scan = {.text = {0}};
    int i;

    (void)state;
    for (i = 0; i < 10; i++)
        scan_feed(&scan, (const uint8_t *)input, strlen(input));
    assert_int_equal(scan.text.len, 0);
    assert_true(scan.text.cap <= 2 * VITALS_MESSAGE_MAX);
    scan_free(&scan);
    free(input);
}

static void brackets_nest_to_1024(void **state)
{
    char *close = repeat("", ']', VITALS_NESTING_MAX, "");
    char *input = repeat("", '[', VITALS_NESTING_MAX, close);
    char *expected = repeat("", '[', VITALS_NESTING_MAX, close);

    (void)state;
    expected = realloc(expected, strlen(expected) + 2);
    strcat(expected, "\n");
    check_long(input, expected);
    assert_true(parser_takes(input));
    free(close);
    free(input);
    free(expected);
}

static void one_bracket_more_is_too_deep(void **state)
{
    char *close = repeat("", ']', VITALS_NESTING_MAX + 1, "{}");
    char *closed = repeat("", '[', VITALS_NESTING_MAX + 1, close);
    char *open = repeat("", '[', 5 * VITALS_NESTING_MAX, "\n{}");
    char *objects = repeat("[", '{', VITALS_NESTING_MAX, "\n{}");

    (void)state;
    check_long(closed, "! JSON nesting depth limit exceeded\n{}\n");
    check_long(open, "! JSON nesting depth limit exceeded\n{}\n");
    check_long(objects, "! JSON nesting depth limit exceeded\n{}\n");
    free(close);
    free(closed);
    free(open);
    free(objects);
}

/* "[1,1,1...1]" of n tokens, n odd. */
static char *list_of_tokens(size_t n, const char *end)
{
    char *text = malloc(n + strlen(end) + 1);
    size_t i;

    text[0] = '[';
    for (i = 1; i < n - 1; i++)
        text[i] = i % 2 ? '1' : ',';
    text[n - 1] = ']';
    strcpy(text + n, end);
    return text;
}

static void a_message_may_have_65536_tokens(void **state)
{
    char *most = list_of_tokens(FRAME_TOKENS_MAX - 1, "");
    char *at_limit = list_of_tokens(FRAME_TOKENS_MAX, "");
    char *expected = list_of_tokens(FRAME_TOKENS_MAX - 1, "\n");
    char *expected_at_limit = list_of_tokens(FRAME_TOKENS_MAX, "\n");

    (void)state;
    check_long(most, expected);
    assert_true(parser_takes(most));
    check_long(at_limit, expected_at_limit); /* ends in ",]", which is the parser's business */
    free(most);
    free(at_limit);
    free(expected);
    free(expected_at_limit);
}

static void one_token_more_is_too_many(void **state)
{
    char *input = list_of_tokens(FRAME_TOKENS_MAX + 1, "{}");
    char *more = list_of_tokens(FRAME_TOKENS_MAX + 1001, "{}");

    (void)state;
    check_long(input, "! JSON token count limit exceeded\n{}\n");
    check_long(more, "! JSON token count limit exceeded\n{}\n");
    free(input);
    free(more);
}

/* @n tokens, of which an empty object counts as some more. */
static char *list_with_an_object(size_t n, const char *end)
{
    char *list = list_of_tokens(n - FRAME_OBJECT_TOKENS, end), *text = malloc(strlen(list) + 2);

    sprintf(text, "[{}%s", list + 2);
    free(list);
    return text;
}

static void an_object_counts_as_more_tokens(void **state)
{
    char *most = list_with_an_object(FRAME_TOKENS_MAX, "");
    char *expected = list_with_an_object(FRAME_TOKENS_MAX, "\n");
    char *more = list_with_an_object(FRAME_TOKENS_MAX + 1, "{}");

    (void)state;
    check_long(most, expected);
    check_long(more, "! JSON token count limit exceeded\n{}\n");
    free(most);
    free(expected);
    free(more);
}

/* ---- members -------------------------------------------------------------------------------- */

static uint32_t members_of(const char *input)
{
    struct scan scan = {.last_members = UINT32_MAX};
    uint32_t members;

    scan_feed(&scan, (const uint8_t *)input, strlen(input));
    members = scan.last_members;
    scan_free(&scan);
    return members;
}

static void members_are_counted(void **state)
{
    (void)state;
    assert_int_equal(members_of("{}"), 0);
    assert_int_equal(members_of("{\"a\":1}"), 1);
    assert_int_equal(members_of("{\"a\":{\"b\":[{\"c\":\":\"}]},\"a\":':'}"), 4);
}

/* ---- any bytes ------------------------------------------------------------------------------ */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

/* Bytes that make the scanner change its mind often. */
static size_t random_input(uint32_t *seed, uint8_t *bytes, size_t max)
{
    static const char alphabet[] =
        "{}[]:,\"'\\ud83dbe0019.-+e@ \n\r\ttruefalsn\xc3\xa4\xe2\x82\xff\x01";
    size_t len = next_random(seed) % max, i;

    for (i = 0; i < len; i++)
        bytes[i] = (uint8_t)alphabet[next_random(seed) % (sizeof(alphabet) - 1)];
    return len;
}

static void any_bytes_give_the_same_in_any_pieces(void **state)
{
    uint8_t bytes[64];
    uint32_t seed = 1;
    int i;

    (void)state;
    for (i = 0; i < 5000; i++) {
        size_t len = random_input(&seed, bytes, sizeof(bytes));
        char *whole = scan_in_two(bytes, len, 0);

        check_equal_and_free(scan_by_bytes(bytes, len), whole, "random bytes", (size_t)i);
        check_equal_and_free(scan_in_two(bytes, len, len / 2), whole, "random bytes", (size_t)i);
        free(whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_message),
        cmocka_unit_test(a_message_ends_where_its_brackets_balance),
        cmocka_unit_test(brackets_in_strings_do_not_count),
        cmocka_unit_test(white_space_is_only_between_tokens),
        cmocka_unit_test(outside_of_brackets_each_token_is_a_message),
        cmocka_unit_test(a_closing_bracket_too_many_ends_a_message),
        cmocka_unit_test(a_row_of_misplaced_ones_is_one_error),
        cmocka_unit_test(a_number_ends_with_what_follows),
        cmocka_unit_test(tokens_that_are_apart_stay_apart),
        cmocka_unit_test(what_grammar_refuses_is_left_to_the_parser),
        cmocka_unit_test(escapes_become_strict),
        cmocka_unit_test(a_nul_is_two_bytes),
        cmocka_unit_test(unknown_escapes_are_refused),
        cmocka_unit_test(an_escape_needs_four_digits),
        cmocka_unit_test(surrogates_come_in_pairs),
        cmocka_unit_test(noncharacters_are_refused),
        cmocka_unit_test(single_quotes_are_quotes_too),
        cmocka_unit_test(characters_are_checked),
        cmocka_unit_test(control_characters_do_not_belong_into_strings),
        cmocka_unit_test(a_command_behind_a_broken_string_is_found),
        cmocka_unit_test(the_end_of_the_line_ends_a_broken_string),
        cmocka_unit_test(good_numbers_are_taken_as_they_are),
        cmocka_unit_test(integers_of_more_than_64_bits_become_doubles),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(a_zero_takes_no_exponent),
        cmocka_unit_test(keywords_are_three),
        cmocka_unit_test(bytes_that_start_no_token_are_stray),
        cmocka_unit_test(clear_tokens_are_skipped_to_the_end_of_the_message),
        cmocka_unit_test(unclear_tokens_are_skipped_to_the_end_of_the_message),
        cmocka_unit_test(unclear_tokens_are_skipped_to_the_end_of_the_line),
        cmocka_unit_test(a_bracket_starts_afresh_behind_a_stray_byte),
        cmocka_unit_test(what_is_wrong_is_reported_once),
        cmocka_unit_test(a_reset_byte_ends_any_message),
        cmocka_unit_test(a_reset_byte_is_always_reported),
        cmocka_unit_test(control_characters_are_reset_bytes),
        cmocka_unit_test(half_a_message_is_an_error),
        cmocka_unit_test(what_was_refused_needs_no_end),
        cmocka_unit_test(a_message_may_have_1_mib),
        cmocka_unit_test(one_byte_more_is_too_large),
        cmocka_unit_test(spaces_between_messages_do_not_count),
        cmocka_unit_test(the_rest_of_a_large_message_is_not_kept),
        cmocka_unit_test(brackets_nest_to_1024),
        cmocka_unit_test(one_bracket_more_is_too_deep),
        cmocka_unit_test(a_message_may_have_65536_tokens),
        cmocka_unit_test(one_token_more_is_too_many),
        cmocka_unit_test(an_object_counts_as_more_tokens),
        cmocka_unit_test(members_are_counted),
        cmocka_unit_test(any_bytes_give_the_same_in_any_pieces),
    };

    return cmocka_run_group_tests_name("the framing scanner", tests, NULL, NULL);
}

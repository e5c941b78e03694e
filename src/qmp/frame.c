/* SPDX-License-Identifier: MIT */
#include "qmp/frame.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/unicode.h"
#include "vitals/qmp.h"

enum lex_state {
    LEX_START, /* between tokens */
    LEX_STRING,
    LEX_ESCAPE,
    LEX_HEX,  /* the digits of \uXXXX */
    LEX_UTF8, /* the later bytes of a character */
    LEX_MINUS,
    LEX_ZERO,
    LEX_DIGITS,
    LEX_POINT,
    LEX_FRACTION,
    LEX_E,
    LEX_E_SIGN,
    LEX_E_DIGITS,
    LEX_KEYWORD,
};

enum frame_skip {
    SKIP_NOTHING,
    SKIP_TO_END, /* the tokens are still clear: until the brackets balance */
    SKIP_LINE,   /* a limit was passed: the end of the line ends it, too */
    SKIP_RAW,    /* the tokens are not clear: the same, and a quote means nothing */
};

/* Whether a byte is used up, or ended the token before it and is to be looked at again. */
enum taken { TAKEN, AGAIN };

/* ---- messages and errors -------------------------------------------------------------------- */

static void start_message(struct frame *frame)
{
    *frame = (struct frame){.event = frame->event};
}

static bool is_under_way(const struct frame *frame)
{
    return frame->state != LEX_START || frame->braces || frame->brackets;
}

__attribute__((format(printf, 3, 0))) static void
report(struct frame *frame, struct frame_output *out, const char *format, va_list args)
{
    buf_reset(out->text);
    buf_reset(out->error);
    buf_vprintf(out->error, format, args);
    frame->event = FRAME_ERROR;
}

/* Reports what is wrong with the message, unless something was before, and skips the rest of it. */
__attribute__((format(printf, 4, 5))) static void
refuse(struct frame *frame, struct frame_output *out, enum frame_skip skip, const char *format, ...)
{
    va_list args;

    if (frame->skip == SKIP_NOTHING) {
        va_start(args, format);
        report(frame, out, format, args);
        va_end(args);
    }
    if (frame->skip < skip)
        frame->skip = (uint8_t)skip;
}

static const char *token_text(struct frame *frame, struct frame_output *out)
{
    if (!buf_reserve(out->text, 1))
        return "";
    out->text->data[out->text->len] = '\0';
    return out->text->data + frame->token;
}

/* @byte belongs to no token: the one that it ended, if any, is of no use either. */
static void stray(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    bool in_token = frame->state != LEX_START && frame->skip == SKIP_NOTHING;

    refuse(frame, out, SKIP_RAW, "JSON parse error, stray '%s%.1s'",
           in_token ? token_text(frame, out) : "", (const char[]){(char)byte, 0});
    frame->state = LEX_START;
}

/* Whatever was under way is dropped. Always reported: the client counts on one error. */
static void reset(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    bool under_way = is_under_way(frame);

    if (frame->skip != SKIP_NOTHING)
        start_message(frame);
    stray(frame, out, byte);
    start_message(frame);
    if (under_way) /* what follows may be the rest of a string */
        frame->skip = SKIP_RAW;
}

static inline void put(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    struct buf *text = out->text;

    if (frame->skip != SKIP_NOTHING)
        return;
    if (text->len < text->cap)
        text->data[text->len++] = (char)byte;
    else
        buf_append(text, &byte, 1);
}

static void put_bytes(struct frame *frame, struct frame_output *out, const char *bytes, size_t len)
{
    if (frame->skip == SKIP_NOTHING)
        buf_append(out->text, bytes, len);
}

static bool is_closer(uint8_t byte)
{
    return byte == '}' || byte == ']';
}

/* Called behind each token; @last: its last byte. */
static void end_token(struct frame *frame, struct frame_output *out, uint8_t last)
{
    bool balanced = !frame->braces && !frame->brackets;

    frame->state = LEX_START;
    if (is_closer(last) && frame->last == ',' && !frame->trailing_comma)
        frame->trailing_comma = out->text->len;
    frame->last = (char)last;
    if (++frame->tokens > FRAME_TOKENS_MAX)
        refuse(frame, out, SKIP_LINE, "JSON token count limit exceeded");
    if (!balanced || (frame->skip == SKIP_LINE && !is_closer(last)))
        return;
    if (frame->skip == SKIP_NOTHING) {
        frame->event = FRAME_MESSAGE;
        out->members = frame->members;
        out->tokens = frame->tokens;
        out->trailing_comma = frame->trailing_comma;
    }
    start_message(frame);
}

/* ---- between tokens ------------------------------------------------------------------------- */

/* Inside of a message, white space keeps tokens apart. */
static void put_space(struct frame *frame, struct frame_output *out)
{
    if (frame->braces || frame->brackets)
        put(frame, out, ' ');
}

/*
 * The parser takes all that follows a number or a keyword directly for a part of it, and finds fault
 * with that instead of with the grammar.
 */
static void keep_apart(struct frame *frame, struct frame_output *out)
{
    const struct buf *text = out->text;

    if (text->len && isalnum((unsigned char)text->data[text->len - 1]))
        put_space(frame, out);
}

/* A closing bracket that nothing opened, or a separator outside of brackets. */
static bool is_misplaced(const struct frame *frame, uint8_t byte)
{
    if (byte == ',' || byte == ':')
        return !frame->braces && !frame->brackets;
    return frame->braces < 0 || frame->brackets < 0;
}

/* Ends the message, so that a row of them is one error and not many. */
static void refuse_misplaced(struct frame *frame, struct frame_output *out)
{
    uint8_t skip = frame->skip;

    start_message(frame);
    frame->skip = skip;
    refuse(frame, out, SKIP_LINE, "JSON parse error, expecting value");
}

static void take_structure(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    bool opens = byte == '{' || byte == '[';

    if (opens && frame->skip == SKIP_LINE && !frame->braces && !frame->brackets)
        start_message(frame);
    if (opens || byte == ':')
        keep_apart(frame, out);
    put(frame, out, byte);
    frame->braces += (byte == '{') - (byte == '}');
    frame->brackets += (byte == '[') - (byte == ']');
    frame->members += byte == ':';
    frame->tokens += byte == '{' ? FRAME_OBJECT_TOKENS - 1 : 0;
    if (is_misplaced(frame, byte)) {
        refuse_misplaced(frame, out);
        return;
    }
    if (opens && frame->braces + frame->brackets > VITALS_NESTING_MAX)
        refuse(frame, out, SKIP_LINE, "JSON nesting depth limit exceeded");
    end_token(frame, out, byte);
}

static void start_token(struct frame *frame, struct frame_output *out, enum lex_state state,
                        uint8_t byte)
{
    keep_apart(frame, out);
    frame->state = (uint8_t)state;
    frame->token = out->text->len;
    put(frame, out, byte);
}

static enum taken take_start(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    switch (byte) {
    case '\n':
        if (frame->skip == SKIP_LINE)
            start_message(frame);
        put_space(frame, out);
        break;
    case ' ':
    case '\t':
    case '\r':
        put_space(frame, out);
        break;
    case '{':
    case '}':
    case '[':
    case ']':
    case ',':
    case ':':
        take_structure(frame, out, byte);
        break;
    case '"':
    case '\'':
        frame->quote = (char)byte;
        start_token(frame, out, LEX_STRING, '"');
        break;
    case '-':
        start_token(frame, out, LEX_MINUS, byte);
        break;
    case '0':
        start_token(frame, out, LEX_ZERO, byte);
        break;
    case '1' ... '9':
        start_token(frame, out, LEX_DIGITS, byte);
        break;
    case 'a' ... 'z':
        start_token(frame, out, LEX_KEYWORD, byte);
        break;
    default:
        stray(frame, out, byte);
    }
    return TAKEN;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* A character of a string, as strict JSON has it. */
static void put_character(struct frame *frame, struct frame_output *out, uint32_t code_point)
{
    static const char digits[] = "0123456789abcdef";
    char bytes[UTF8_MAX], escape[] = "\\u00..";

    if (code_point == '"' || code_point == '\\')
        put(frame, out, '\\');
    if (code_point && code_point < 0x20) {
        escape[4] = digits[code_point >> 4];
        escape[5] = digits[code_point & 0xf];
        put_bytes(frame, out, escape, 6);
    } else {
        put_bytes(frame, out, bytes, utf8_encode(code_point, bytes));
    }
}

static void refuse_code_point(struct frame *frame, struct frame_output *out, uint32_t code_point)
{
    refuse(frame, out, SKIP_TO_END, "JSON parse error, \\u%04x is not a valid Unicode character",
           code_point);
    frame->high_surrogate = 0;
}

static enum taken take_string(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    if (frame->high_surrogate && byte != '\\')
        refuse_code_point(frame, out, frame->high_surrogate);
    if (byte == (uint8_t)frame->quote) {
        put(frame, out, '"');
        end_token(frame, out, byte);
    } else if (byte == '\\') {
        frame->state = LEX_ESCAPE;
    } else if (byte < 0x20) {
        stray(frame, out, byte);
        return byte == '\n' ? AGAIN : TAKEN; /* the end of the line ends what is skipped */
    } else if (byte < 0x80) {
        if (byte == '"')
            put(frame, out, '\\');
        put(frame, out, byte);
    } else {
        frame->utf8_len = (uint8_t)utf8_length(byte);
        if (!frame->utf8_len) {
            refuse(frame, out, SKIP_TO_END, "JSON parse error, invalid UTF-8 sequence in string");
            return TAKEN;
        }
        frame->utf8_left = frame->utf8_len - 1;
        frame->code_point = byte & (0x7fu >> frame->utf8_len);
        frame->state = LEX_UTF8;
    }
    return TAKEN;
}

static enum taken take_utf8(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    bool continues = (byte & 0xc0) == 0x80;

    if (continues) {
        frame->code_point = frame->code_point << 6 | (byte & 0x3f);
        if (--frame->utf8_left)
            return TAKEN;
    }
    frame->state = LEX_STRING;
    if (continues && utf8_is_shortest(frame->code_point, frame->utf8_len))
        put_character(frame, out, frame->code_point);
    else
        refuse(frame, out, SKIP_TO_END, "JSON parse error, invalid UTF-8 sequence in string");
    return continues ? TAKEN : AGAIN;
}

static enum taken take_escape(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    frame->state = LEX_STRING;
    if (byte < 0x20)
        return AGAIN;
    if (frame->high_surrogate && byte != 'u')
        refuse_code_point(frame, out, frame->high_surrogate);
    switch (byte) {
    case 'u':
        frame->state = LEX_HEX;
        frame->digits_left = 4;
        frame->code_point = 0;
        break;
    case '"':
    case '\\':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        put(frame, out, '\\');
        put(frame, out, byte);
        break;
    case '/':
    case '\'':
        put(frame, out, byte);
        break;
    default:
        refuse(frame, out, SKIP_TO_END, "JSON parse error, invalid escape sequence in string");
    }
    return TAKEN;
}

static bool is_surrogate(uint32_t code_point, uint32_t first)
{
    return code_point >= first && code_point < first + 0x400;
}

/* Behind the four digits of a \uXXXX. */
static void end_hex(struct frame *frame, struct frame_output *out)
{
    uint32_t code_point = frame->code_point, high = frame->high_surrogate;

    frame->state = LEX_STRING;
    if (high && is_surrogate(code_point, 0xdc00)) {
        code_point = 0x10000 + ((high - 0xd800) << 10) + (code_point - 0xdc00);
    } else if (high) {
        refuse_code_point(frame, out, high);
        return;
    } else if (is_surrogate(code_point, 0xd800)) {
        frame->high_surrogate = code_point;
        return;
    }
    frame->high_surrogate = 0;
    if (unicode_is_valid(code_point))
        put_character(frame, out, code_point);
    else
        refuse_code_point(frame, out, code_point);
}

static enum taken take_hex(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    uint32_t digit;

    if (byte >= '0' && byte <= '9') {
        digit = byte - '0';
    } else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') {
        digit = (byte | 0x20) - 'a' + 10u;
    } else {
        frame->state = LEX_STRING;
        refuse_code_point(frame, out, frame->code_point);
        return AGAIN;
    }
    frame->code_point = frame->code_point << 4 | digit;
    if (!--frame->digits_left)
        end_hex(frame, out);
    return TAKEN;
}

/* ---- numbers and keywords ------------------------------------------------------------------- */

/* An integer of more than 64 bits becomes a double, as in QEMU; the parser would clamp it. */
static void end_number(struct frame *frame, struct frame_output *out)
{
    bool integer = frame->state == LEX_ZERO || frame->state == LEX_DIGITS;

    if (integer && frame->skip == SKIP_NOTHING) {
        const char *text = token_text(frame, out);

        errno = 0;
        if (*text == '-')
            strtoll(text, NULL, 10);
        else
            strtoull(text, NULL, 10);
        if (errno == ERANGE) {
            put_bytes(frame, out, ".0", 2);
            integer = false;
        }
    }
    if (!integer)
        frame->tokens += FRAME_FRACTION_TOKENS - 1;
    end_token(frame, out, '0');
}

/* The state behind @byte inside a number, or LEX_START: it does not belong to the number. */
static enum lex_state next_in_number(enum lex_state state, uint8_t byte)
{
    bool digit = byte >= '0' && byte <= '9';
    bool e = byte == 'e' || byte == 'E';

    switch (state) {
    case LEX_MINUS:
        return !digit ? LEX_START : byte == '0' ? LEX_ZERO : LEX_DIGITS;
    case LEX_ZERO: /* no exponent without a fraction: so is QEMU */
        return byte == '.' ? LEX_POINT : LEX_START;
    case LEX_DIGITS:
        return digit ? LEX_DIGITS : byte == '.' ? LEX_POINT : e ? LEX_E : LEX_START;
    case LEX_POINT:
    case LEX_FRACTION:
        return digit ? LEX_FRACTION : e && state == LEX_FRACTION ? LEX_E : LEX_START;
    case LEX_E:
        return byte == '+' || byte == '-' ? LEX_E_SIGN : digit ? LEX_E_DIGITS : LEX_START;
    default:
        return digit ? LEX_E_DIGITS : LEX_START;
    }
}

static bool may_end_number(enum lex_state state, uint8_t next)
{
    if (state == LEX_ZERO)
        return next < '0' || next > '9';
    return state == LEX_DIGITS || state == LEX_FRACTION || state == LEX_E_DIGITS;
}

static enum taken take_number(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    enum lex_state next = next_in_number(frame->state, byte);

    if (next != LEX_START) {
        frame->state = (uint8_t)next;
        put(frame, out, byte);
        return TAKEN;
    }
    if (may_end_number(frame->state, byte)) {
        end_number(frame, out);
    } else {
        stray(frame, out, byte);
    }
    return AGAIN;
}

static enum taken take_keyword(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    const char *text;

    if (byte >= 'a' && byte <= 'z') {
        put(frame, out, byte);
        return TAKEN;
    }
    text = frame->skip == SKIP_NOTHING ? token_text(frame, out) : "null";
    if (strcmp(text, "true") && strcmp(text, "false") && strcmp(text, "null"))
        refuse(frame, out, SKIP_TO_END, "JSON parse error, invalid keyword '%.900s'", text);
    end_token(frame, out, 'e');
    return AGAIN;
}

/* ---- the stream ----------------------------------------------------------------------------- */

static bool is_reset(uint8_t byte)
{
    return byte >= 0xfe || (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r');
}

/* Without tokens there are only brackets to count, and the end of the line to wait for. */
static enum taken take_raw(struct frame *frame, uint8_t byte)
{
    bool outside = !frame->braces && !frame->brackets;
    bool opens = byte == '{' || byte == '[';

    if (outside && opens) {
        start_message(frame);
        return AGAIN;
    }
    frame->braces += (byte == '{') - (byte == '}');
    frame->brackets += (byte == '[') - (byte == ']');
    if (byte == '\n' || (is_closer(byte) && frame->braces <= 0 && frame->brackets <= 0))
        start_message(frame);
    return TAKEN;
}

static enum taken take(struct frame *frame, struct frame_output *out, uint8_t byte)
{
    if (frame->skip == SKIP_RAW)
        return take_raw(frame, byte);
    switch ((enum lex_state)frame->state) {
    case LEX_START:
        return take_start(frame, out, byte);
    case LEX_STRING:
        return take_string(frame, out, byte);
    case LEX_ESCAPE:
        return take_escape(frame, out, byte);
    case LEX_HEX:
        return take_hex(frame, out, byte);
    case LEX_UTF8:
        return take_utf8(frame, out, byte);
    case LEX_KEYWORD:
        return take_keyword(frame, out, byte);
    default:
        return take_number(frame, out, byte);
    }
}

static void count_byte(struct frame *frame, struct frame_output *out)
{
    if (is_under_way(frame) &&
        ++frame->size >= VITALS_MESSAGE_MAX) /* the last byte is not counted */
        refuse(frame, out, SKIP_LINE, "JSON token size limit exceeded");
}

static bool is_plain(const struct frame *frame, uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '\\' && byte != '"' && byte != frame->quote;
}

/* Most of a message is inside of strings, and needs no more than to be copied. */
static size_t take_plain(struct frame *frame, struct frame_output *out, const uint8_t *bytes,
                         size_t len)
{
    size_t room = VITALS_MESSAGE_MAX - 1 - frame->size, i = 0;

    if (frame->state != LEX_STRING || frame->skip != SKIP_NOTHING || frame->high_surrogate)
        return 0;
    while (i < len && i < room && is_plain(frame, bytes[i]))
        i++;
    buf_append(out->text, bytes, i);
    frame->size += i;
    return i;
}

/* The line feed behind a message goes with it, so that the server need not come back for it. */
static size_t take_white_space(const struct frame *frame, const uint8_t *bytes, size_t len)
{
    size_t i = 0;

    if (is_under_way(frame) || frame->skip != SKIP_NOTHING)
        return 0;
    while (i < len && (bytes[i] == ' ' || bytes[i] == '\t' || bytes[i] == '\r' || bytes[i] == '\n'))
        i++;
    return i;
}

size_t frame_feed(struct frame *frame, const uint8_t *bytes, size_t len, struct frame_output *out,
                  enum frame_event *ret_event)
{
    size_t i = 0;

    frame->event = FRAME_MORE;
    while (i < len && frame->event == FRAME_MORE) {
        i += take_plain(frame, out, bytes + i, len - i);
        if (i == len)
            break;
        if (is_reset(bytes[i])) {
            reset(frame, out, bytes[i++]);
        } else if (take(frame, out, bytes[i]) == TAKEN) {
            i++;
            count_byte(frame, out);
        }
    }
    *ret_event = frame->event;
    return i + take_white_space(frame, bytes + i, len - i);
}

bool frame_finish(struct frame *frame, struct frame_output *out)
{
    if (!is_under_way(frame) || frame->skip != SKIP_NOTHING)
        return false;
    refuse(frame, out, SKIP_NOTHING, "JSON parse error, the message has no end");
    start_message(frame);
    return true;
}
